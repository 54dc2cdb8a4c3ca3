-- Takes a town out of use, or brings it back.
update town set retired_time = case when %(retired)s then now() end where town_id = %(town_id)s
