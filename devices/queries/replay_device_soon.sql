-- Asks that what is kept of a device's refusals goes the way again, as soon as workers have learnt of it.
select replay_device_soon(%(device_id)s, %(reason)s)
