"""Who a device is at the broker: its passwords and certificates, and the program that keeps the broker's accounts.

    device_credential, device  ->  wanted lines  ->  accounts file  ->  broker (images/broker/accounts.c)
       registry, the truth          accounts.py       files.py            | state file: what it holds
                                                      keeper.py  <--------+

`passwords` and `certificates` make and read credentials, `credentials` keeps them in the registry.
"""
