#!/bin/sh
# Answers 0 when the broker lets its own health account read how long it has been up.
exec mosquitto_sub -h 127.0.0.1 -p 1883 -i health -u health -P "$(cat /mosquitto/config/health)" -t '$SYS/broker/uptime' -C 1 -W 4 >/dev/null
