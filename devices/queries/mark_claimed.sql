-- Somebody stands at the device and has its code.
update device_claim set claimed_time = now(), claimed_by = %(person)s where code = %(code)s
