"""The judge: holds what a run sent against what the database stores and the API answers.

journal --> payloads --> claims ---+--> outcomes, refusals --+
                                   |                         +--> report: exit status, table, JSON
database --> store ----------------+--> windows, accounts ---+
API -------> http -----------------------> windows, air, lamps

Nothing here comes from the rooms it judges: payloads are decoded, windows folded, indices and faults computed a second
time, plainly, from the public contract. A test holds that no module imports `ingest`, `api`, or from `devices`.
"""
