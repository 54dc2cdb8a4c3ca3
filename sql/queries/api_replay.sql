-- name: request_replay
-- Asks a worker to replay; answers the id of the wish.
select request_replay(%(reason)s::text, %(device)s::text, %(town)s::text, %(first)s::timestamptz,
                      %(last)s::timestamptz) as replay_id;
