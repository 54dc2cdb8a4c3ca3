-- Every town, in the order of the page.
select town_id, name_vi, name_en, latitude, longitude, west, south, east, north, retired_time is not null as retired
from town
order by position, town_id
