"""The way in: from an MQTT message to committed rows, and only then an acknowledgement.

    connect --Message--> route --Route--> decode --Columns--> batch --Columns--> validate --Block--> write
       ^                                                                                              |
       +---------------------------- PUBACK after COMMIT <------------WriteResult--------------------+

`worker` wires the steps; no step knows another. Only connect and write do I/O. Between them are plain functions and
columns: a reading is an element of an array, never an object. Validation is vectorised and therefore runs once a
batch, after it was closed.
"""
