-- One import at a time: what an import compares itself with must stay so until it commits.
select pg_advisory_xact_lock(hashtext('thubon registry'))
