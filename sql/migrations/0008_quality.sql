-- Quality flags set by the platform, how many of each a window holds, and limits kept at rest.
set local role thubon_owner;

-- Whether a value of this quality enters statistics, as devices/quality.py has it: not when the instrument calibrates (1) or
-- reports a fault (2), nor what is a spike (8), stuck (16) or flat-lined at a bound (32).
create function quality_admits(quality smallint) returns boolean
language sql immutable parallel safe as $$ select coalesce(quality, 0) & 59 = 0 $$;

comment on column observation_set.quality_by_slot is
  'Bit set a slot: 1 calibrating, 2 fault, 4 outside expected range, 8 spike, 16 stuck, 32 flat at bound, 64 clock skew; null: all are 0.';

alter table window_set
  add column flags integer[],                  -- seven a slot: readings that bear bit 1, 2, 4 ... 64; null: none does
  add column above integer[],                  -- readings above the datastream's limit
  add column longest_run integer[], add column run_at_start integer[], add column run_at_end integer[];
