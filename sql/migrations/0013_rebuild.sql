-- What an interrupted rebuild of window statistics has done.
set local role thubon_owner;

create table rebuild_block (
  rebuild text not null,                       -- what was asked for: town, device, property
  day_time timestamptz not null,               -- a local midnight
  first_device integer not null,               -- device_key of the first device of the block
  primary key (rebuild, day_time, first_device)
);
grant select, insert, delete on rebuild_block to thubon_ingest;
grant select on rebuild_block to thubon_read;
