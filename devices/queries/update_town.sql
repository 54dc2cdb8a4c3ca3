-- What people say of a town.
update town
set name_vi = %(name_vi)s, name_en = %(name_en)s, latitude = %(latitude)s, longitude = %(longitude)s,
    west = %(west)s, south = %(south)s, east = %(east)s, north = %(north)s, position = %(position)s
where town_id = %(town_id)s
