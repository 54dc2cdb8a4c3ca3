-- name: live_identity
-- Tells one database from another, so that an event id of the one is unknown to the other.
select system_identifier::text || '/' || (select oid::text from pg_database where datname = current_database()) as identity
from pg_control_system();

-- name: live_position
-- The newest transaction before which no open transaction can still commit.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 as position;

-- name: live_position_of_changes
-- The newest transaction before which no open transaction can still announce a change. Others (a rebuild, the compression of
-- a day) may be open for hours and must not hold up live push. Who announces changes batch_log before anything else, so it
-- holds a lock there before it has a number; the snapshot is older than this look at the locks, so nobody is missed. Dearer
-- than live_position, and where the locks of writers cannot be seen (a streaming replica) the same.
with present as materialized (
  select pg_current_snapshot() as snapshot
), held as materialized (
  select virtualtransaction, locktype, relation, mode, transactionid::text::bigint as number
  from pg_locks
  where granted
    and (locktype = 'transactionid' and mode = 'ExclusiveLock'
         or locktype = 'relation' and mode <> 'AccessShareLock'
            and database = (select oid from pg_database where datname = current_database())
            and relation in ('public.batch_log'::regclass, 'public.live_change'::regclass))
), oldest as (
  select min(t.number) as number
  from held t
  where t.locktype = 'transactionid'
    and exists (select from held r where r.locktype = 'relation' and r.virtualtransaction = t.virtualtransaction)
), limits as (
  select pg_snapshot_xmin(p.snapshot)::text::bigint as first_open, pg_snapshot_xmax(p.snapshot)::text::bigint as next, o.number
  from present p, oldest o
)
select case
         when pg_is_in_recovery() then first_open
         when number is null then next
         -- Locks tell the low 32 bits of a number alone.
         else least(next, (next >> 32 << 32) + number - case when number > (next & 4294967295) + 2147483648 then 4294967296 else 0 end)
       end - 1 as position
from limits;

-- name: live_changes
-- Changes after one position and up to another, oldest first.
select xid::text::bigint as xid, changed_time, device_keys
from live_change
where xid > %(after)s::xid8
  and xid <= %(until)s::xid8
order by xid
limit %(limit)s;

-- name: live_pending
-- Whether changes after a position wait for an older open transaction.
select exists (select from live_change where xid > %(until)s::xid8) as pending;

-- name: live_kept
-- Whether a change at or before a position is still kept, so that none after it was deleted.
select exists (select from live_change where xid <= %(position)s::xid8) as kept;

-- name: live_changed_between
-- The devices that changed after one position and not after another.
select distinct unnest(device_keys) as device_key
from live_change
where xid > %(after)s::xid8
  and xid <= %(until)s::xid8;
