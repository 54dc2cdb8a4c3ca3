-- The cabinet that feeds a device. Lamp controllers with a connection of their own stand behind no gateway, so that the
-- gateway cannot tell; null: the gateway, where that is a cabinet, else not known.
set local role thubon_owner;

alter table device add column fed_by_key integer references device check (fed_by_key <> device_key);
create index device_fed_by_idx on device (fed_by_key) where fed_by_key is not null;  -- the devices of a cabinet
