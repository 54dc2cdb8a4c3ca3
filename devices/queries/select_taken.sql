-- Which of these ids are taken in any town, also in those that who asks may not see.
select kind, id from taken_ids(%(device_ids)s, %(site_ids)s)
