-- name: town_problems
-- Devices of a town that need a look, worst state first, within it the longest.
select device_id, name, domain, site_id, site_name, state, state_since
from device_live
where town_id = %(town)s
  and state in ('offline', 'stale', 'never-seen')
order by array_position(array['offline', 'stale', 'never-seen'], state), state_since, device_id
limit %(limit)s;
