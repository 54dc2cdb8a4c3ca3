-- Every ward of every version, or those of one town; null for all towns.
select w.ward_id, w.town_id, w.name, w.kind, w.valid_from, w.valid_to, w.grade, w.source, s.successor_id
from ward w
left join ward_successor s using (ward_id)
where %(town_id)s::text is null or w.town_id = %(town_id)s
order by w.town_id, w.valid_from, w.ward_id
