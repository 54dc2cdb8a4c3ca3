-- Nothing is known of what the broker holds.
delete from broker_account
