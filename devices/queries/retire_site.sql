-- Takes a site out of the registry's use, or brings it back.
update site set retired_time = case when %(retired)s then now() end where site_id = %(site_id)s
