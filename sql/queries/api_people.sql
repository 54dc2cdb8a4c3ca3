-- name: any_administrator
-- Whether anybody can log in who may do everything.
select from account a join account_grant g using (account_id)
where a.disabled_time is null and g.town_id is null and g.role = 'administrator'
limit 1;

-- name: put_administrator
-- An account with a new password, made or taken up again.
insert into account as a (name, display_name, password_hash)
values (%(name)s, %(display_name)s, %(password_hash)s)
on conflict (name) do update
  set password_hash = excluded.password_hash, password_time = now(), disabled_time = null
returning account_id;

-- name: drop_grants
-- Takes all grants of an account.
delete from account_grant where account_id = %(account_id)s;

-- name: add_grants
-- Grants of an account, of unlike towns; null: every town.
insert into account_grant (account_id, town_id, role)
select %(account_id)s, u.town_id, u.role from unnest(%(towns)s::text[], %(roles)s::text[]) u (town_id, role);

-- name: drop_sessions
-- Ends every session of an account.
delete from page_session where account_id = %(account_id)s;

-- name: add_account
-- A new account; none where the name is taken.
insert into account (name, display_name, password_hash)
values (%(name)s, %(display_name)s, %(password_hash)s)
on conflict (name) do nothing
returning account_id, created_time, password_time;

-- name: accounts
-- Accounts by name with their grants; one where a name is given, locked where it is to be changed.
select a.account_id, a.name, a.display_name, a.created_time, a.password_time, a.last_login_time, a.disabled_time,
       coalesce((select jsonb_object_agg(coalesce(g.town_id, '*'), g.role) from account_grant g
                 where g.account_id = a.account_id), '{}') as grants
from account a
where (%(name)s::text is null or a.name = %(name)s)
  and a.name > %(after)s
  and (%(towns)s::text[] is null
       or exists (select from account_grant g where g.account_id = a.account_id and g.town_id = any (%(towns)s)))
order by a.name
limit %(limit)s;

-- name: lock_account
-- Has others wait who want to change the same account.
select account_id from account where name = %(name)s for update;

-- name: change_account
-- Changes what is given of an account.
update account
set display_name = coalesce(%(display_name)s, display_name),
    password_hash = coalesce(%(password_hash)s, password_hash),
    password_time = case when %(password_hash)s::text is null then password_time else now() end,
    disabled_time = case when %(disabled)s::boolean is null then disabled_time
                         when %(disabled)s::boolean then coalesce(disabled_time, now()) end
where account_id = %(account_id)s;

-- name: unknown_towns
-- Those of some ids that are no town's.
select u.id from unnest(%(towns)s::text[]) u (id)
where not exists (select from town where town_id = u.id);

-- name: add_key
-- A new key.
insert into api_key (name, key_hash, beginning, created_by, expires_time)
values (%(name)s, %(key_hash)s, %(beginning)s, %(created_by)s, %(expires_time)s)
returning key_id, name, beginning, created_by, created_time, expires_time, revoked_time, last_used_time, last_used_address;

-- name: add_key_grants
-- Grants of a key, of unlike towns; null: every town.
insert into api_key_grant (key_id, town_id, role)
select %(key_id)s, u.town_id, u.role from unnest(%(towns)s::text[], %(roles)s::text[]) u (town_id, role);

-- name: keys
-- Keys, newest first, that were granted any of some towns.
select k.key_id, k.name, k.beginning, k.created_by, k.created_time, k.expires_time, k.revoked_time, k.last_used_time,
       k.last_used_address,
       coalesce((select jsonb_object_agg(coalesce(g.town_id, '*'), g.role) from api_key_grant g
                 where g.key_id = k.key_id), '{}') as grants
from api_key k
where (%(key)s::uuid is null or k.key_id = %(key)s)
  and (k.created_time, k.key_id) < (%(cursor_time)s, %(cursor_key)s)
  and (%(towns)s::text[] is null
       or exists (select from api_key_grant g where g.key_id = k.key_id and g.town_id = any (%(towns)s)))
order by k.created_time desc, k.key_id desc
limit %(limit)s;

-- name: revoke_key
-- Ends a key at once.
update api_key set revoked_time = coalesce(revoked_time, now()) where key_id = %(key)s returning revoked_time;
