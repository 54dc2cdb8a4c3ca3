-- name: add_audit
-- Notes one change, or one or more attempts that were refused.
insert into audit (actor, address, action, outcome, town_id, subject, detail, attempts, before, after)
values (%(actor)s, %(address)s, %(action)s, %(outcome)s, %(town)s, %(subject)s, %(detail)s, %(attempts)s,
        %(before)s::jsonb, %(after)s::jsonb);

-- name: add_audit_notes
-- Notes many changes of one person at once.
insert into audit (actor, address, action, outcome, town_id, subject, before, after)
select %(actor)s, %(address)s, n.action, 'done', n.town_id, n.subject, n.before, n.after
from jsonb_to_recordset(%(notes)s::jsonb) as n (action text, town_id text, subject text, before jsonb, after jsonb);

-- name: audit_page
-- One page of the audit, newest first; every filter may be null.
select audit_key, audit_time, actor, address, action, outcome, town_id, subject, detail, attempts, before, after
from audit
where audit_time >= %(first)s and audit_time < %(last)s
  and (audit_time, audit_key) < (%(cursor_time)s, %(cursor_key)s)
  and (%(town)s::text is null or town_id = %(town)s)
  and (%(actor)s::text is null or actor = %(actor)s)
  and (%(action)s::text is null or action = %(action)s or starts_with(action, %(action)s || '.'))
  and (%(outcome)s::text is null or outcome = %(outcome)s)
  and (%(text)s::text is null or strpos(lower(concat_ws(' ', subject, detail, actor, address, before::text, after::text)),
                                        lower(%(text)s)) > 0)
order by audit_time desc, audit_key desc
limit %(limit)s;
