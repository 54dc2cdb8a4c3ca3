-- name: site_page
-- One page of sites in the order of their ids; every filter may be null. Words are looked for anywhere, without accents.
select s.site_id, s.town_id, s.name, s.kind, s.latitude, s.longitude, s.labels, s.version, s.retired_time,
       (select count(*)::integer from device d where d.site_key = s.site_key and d.retired_time is null) as devices,
       coalesce((select jsonb_agg(jsonb_build_object('id', w.ward_id, 'name', w.name, 'kind', w.kind, 'valid_from', w.valid_from,
                                                     'valid_to', w.valid_to, 'how', x.how) order by w.valid_from)
                 from site_ward x join ward w using (ward_id) where x.site_key = s.site_key), '[]') as wards
from site s
where s.site_id > %(after)s
  and (%(site)s::text is null or s.site_id = %(site)s)
  and (%(town)s::text is null or s.town_id = %(town)s)
  and (s.retired_time is not null) <= %(retired)s
  and (%(west)s::float8 is null or s.longitude between %(west)s and %(east)s and s.latitude between %(south)s and %(north)s)
  and (%(label)s::text is null or s.labels @> array[%(label)s::text])
  and (%(ward)s::text is null or s.site_key in (select w.site_key from site_ward w where w.ward_id = %(ward)s))
  and not exists (
    select from regexp_split_to_table(fold_text(%(search)s::text), '\s+') word where position(word in s.search) = 0
  )
order by s.site_id
limit %(limit)s;

-- name: ward_list
-- Wards and communes in their versions; every filter may be null.
select w.ward_id, w.town_id, w.name, w.kind, w.valid_from, w.valid_to, w.grade, w.source, s.successor_id,
       (select count(*)::integer from site_ward x join site using (site_key) where x.ward_id = w.ward_id) as sites
from ward w
left join ward_successor s using (ward_id)
where exists (select from town t where t.town_id = w.town_id)
  and (%(town)s::text is null or w.town_id = %(town)s)
  and (%(on)s::date is null or w.valid_from <= %(on)s and (w.valid_to is null or w.valid_to > %(on)s))
order by w.town_id, w.valid_from, w.ward_id;

-- name: knock_page
-- One page of devices that knocked, newest first; every filter may be null.
select k.device_id, k.town_id, k.reason, k.gateway_id, k.first_time, k.last_time, k.messages, k.readings, k.topic, k.sample,
       k.refused_time, k.refused_by,
       (select count(*)::integer from (
          select from rejection r where r.device_id = k.device_id and r.unkept + r.replayed < r.readings limit 1000
        ) r) as kept
from knock k
where (%(town)s::text is null or k.town_id = %(town)s)
  and (k.refused_time is not null) = %(refused)s
  and (%(search)s::text is null or position(%(search)s in k.device_id) > 0)
  and (%(before)s::timestamptz is null or (k.last_time, k.device_id, k.town_id) < (%(before)s, %(device)s, %(last_town)s))
order by k.last_time desc, k.device_id desc, k.town_id desc
limit %(limit)s;

-- name: installation
-- How far the installation of a device is, with what was refused of it within a day.
select d.device_id, d.commissioned_time, c.created_time as code_time, c.claimed_time, c.claimed_by, l.phenomenon_time,
       l.received_time, w.word, w.since as word_time, r.refused_time, r.refused_reason, r.refused_detail
from device d
left join device_claim c using (device_key)
left join latest l using (device_key)
left join device_status w using (device_key)
left join lateral (
  select r.received_time as refused_time, r.reason as refused_reason, r.detail as refused_detail
  from rejection r
  where r.device_id = d.device_id and r.received_time > now() - interval '1 day'
  order by r.received_time desc, r.rejection_key desc
  limit 1
) r on true
where d.device_id = %(device)s;

-- name: export_devices
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
where d.retired_time is null and (%(town)s::text is null or d.town_id = %(town)s)
order by d.town_id, d.device_id
limit %(limit)s;

-- name: town_of_device
-- Where a device is, for who asks.
select town_id from device where device_id = %(device)s;

-- name: town_of_site
-- Where a site is, for who asks.
select town_id from site where site_id = %(site)s;

-- name: be_patient
-- An import of a hundred thousand rows takes longer than a question may.
set local statement_timeout = '120s';

-- name: kept_town
-- One town as people keep it.
select t.town_id, t.name_vi, t.name_en, t.latitude, t.longitude, t.west, t.south, t.east, t.north, t.position, t.version,
       t.retired_time,
       (select count(*)::integer from site s where s.town_id = t.town_id and s.retired_time is null) as sites,
       (select count(*)::integer from device d where d.town_id = t.town_id and d.retired_time is null) as devices
from town t
where t.town_id = %(town)s;
