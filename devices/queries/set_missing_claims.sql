-- Gives claim codes to devices that have none, one of as many as are offered.
insert into device_claim (device_key, code)
select d.device_key, c.code
from (select device_key, row_number() over (order by device_id) as number
      from device
      where device_id = any(%(device_ids)s) and retired_time is null
        and not exists (select from device_claim x where x.device_key = device.device_key)) d
join unnest(%(codes)s::text[]) with ordinality c (code, number) using (number)
on conflict do nothing
