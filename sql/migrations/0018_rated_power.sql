-- The power of a lamp at full light as its label says, where people gave it; null: its profile's, or learnt from its days.
set local role thubon_owner;

alter table device add column rated_power_w float8 check (rated_power_w > 0 and rated_power_w <= 100000);
