-- Leaves a line in the audit.
select audit_note(%(actor)s, %(action)s, %(town_id)s, %(subject)s, %(before)s, %(after)s)
