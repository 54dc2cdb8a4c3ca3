-- When registry and broker were last compared, when they last agreed, and what is wrong.
select checked_time, agreed_time, trouble from broker_account_check
