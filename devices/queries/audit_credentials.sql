-- A line in the audit for each town whose devices' credentials were changed by a command; up to a hundred are named.
select audit_note(%(actor)s, %(action)s, town_id,
                  case when count(*) = 1 then min(device_id) else 'devices' end, null,
                  jsonb_build_object('devices', count(*),
                                     'ids', to_jsonb((array_agg(device_id order by device_id))[1:100])))
from device
where device_id = any(%(device_ids)s)
group by town_id
