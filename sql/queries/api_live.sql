-- name: live_identity
-- Tells one database from another, so that an event id of the one is unknown to the other.
select system_identifier::text || '/' || (select oid::text from pg_database where datname = current_database()) as identity
from pg_control_system();

-- name: live_position
-- The newest transaction before which no open transaction can still commit.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 as position;

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
