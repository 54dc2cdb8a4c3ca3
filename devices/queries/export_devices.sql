-- The registry in the columns of an import file, by town and device; null for all towns. Retired devices stay out.
select d.device_id as device, d.town_id as town, s.site_id as site, s.name as site_name, s.kind as site_kind,
       s.latitude, s.longitude, d.profile, d.name, g.device_id as gateway, d.commissioned_time as commissioned,
       array_to_string(d.labels, ' ') as labels,
       (select string_agg(w.ward_id, ' ' order by w.ward_id) from site_ward w
        where w.site_key = s.site_key and w.how = 'declared') as ward,
       d.rated_power_w, c.device_id as fed_by
from device d
join site s using (site_key)
left join device g on g.device_key = d.gateway_key
left join device c on c.device_key = d.fed_by_key
where d.retired_time is null and (%(town_id)s::text is null or d.town_id = %(town_id)s)
order by d.town_id, d.device_id
