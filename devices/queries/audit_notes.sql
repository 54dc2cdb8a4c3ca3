-- Leaves a line in the audit for each of many changes.
select audit_note(%(actor)s, n.action, n.town_id, n.subject, n.before, n.after)
from jsonb_to_recordset(%(notes)s) as n (action text, town_id text, subject text, before jsonb, after jsonb)
