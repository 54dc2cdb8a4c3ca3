-- name: session
-- Who holds the cookie of a session that has not ended, and what they were granted.
select s.account_id, s.expires_time, s.subject, coalesce(a.name, s.name) as name,
       coalesce(s.grants,
                (select jsonb_object_agg(coalesce(g.town_id, '*'), g.role) from account_grant g
                 where g.account_id = s.account_id),
                '{}') as grants
from page_session s
left join account a using (account_id)
where s.session_hash = %(session_hash)s
  and s.expires_time > now()
  and (s.account_id is null or a.disabled_time is null);

-- name: key
-- Whose key this is, whether it still opens or not.
select k.key_id, k.name, k.expires_time, k.revoked_time,
       coalesce((select jsonb_object_agg(coalesce(g.town_id, '*'), g.role) from api_key_grant g where g.key_id = k.key_id),
                '{}') as grants
from api_key k
where k.key_hash = %(key_hash)s;

-- name: key_used
-- Notes that a key was used.
update api_key set last_used_time = now(), last_used_address = %(address)s where key_id = %(key)s;

-- name: account_to_prove
-- The password of an account, for a login.
select account_id, name, password_hash, disabled_time,
       array(select coalesce(g.town_id, '*') from account_grant g where g.account_id = a.account_id) as towns
from account a
where name = %(name)s;

-- name: add_session
-- Opens a session of the page.
insert into page_session (session_hash, account_id, subject, name, grants, expires_time, address)
values (%(session_hash)s, %(account_id)s, %(subject)s, %(name)s, %(grants)s, now() + %(life_s)s * interval '1 second',
        %(address)s);

-- name: account_logged_in
-- Notes a login, and takes in a password hashed anew, where its cost has risen.
update account set last_login_time = now(), password_hash = coalesce(%(password_hash)s, password_hash)
where account_id = %(account_id)s;

-- name: end_session
-- Ends a session.
delete from page_session where session_hash = %(session_hash)s;

-- name: end_old_sessions
-- Throws away what has ended by itself.
with attempt as (delete from openid_attempt where expires_time < now())
delete from page_session where expires_time < now();

-- name: begin_openid
-- Remembers a login begun at the provider, at most ten thousand at a time, and throws away those that took too long.
with expired as (delete from openid_attempt where expires_time <= now())
insert into openid_attempt (state_hash, nonce, verifier, expires_time)
select %(state_hash)s, %(nonce)s, %(verifier)s, now() + interval '10 minutes'
where (select count(*) < 10000 from openid_attempt where expires_time > now())
returning state_hash;

-- name: end_openid
-- Takes up a login that comes back from the provider, once.
delete from openid_attempt where state_hash = %(state_hash)s returning nonce, verifier, expires_time > now() as in_time;
