#!/bin/sh
# Writes the listener and the password file, then starts Mosquitto.
#
# THUBON_BROKER_USERS       user:password pairs, parted by spaces
# THUBON_BROKER_USERS_FILE  the same, one a line, from a file (a secret)
# THUBON_BROKER_ANONYMOUS   yes: no password is asked; for tests and demos on loopback alone
set -eu
umask 077

users=${THUBON_BROKER_USERS:-}
if [ -n "${THUBON_BROKER_USERS_FILE:-}" ]; then users="$users $(tr '\n' ' ' <"$THUBON_BROKER_USERS_FILE")"; fi
anonymous=${THUBON_BROKER_ANONYMOUS:-no}

: >/mosquitto/config/passwords
for pair in $users; do
  case $pair in
    ?*:?*) printf '%s\n' "$pair" >>/mosquitto/config/passwords ;;
    *) echo "entrypoint: a broker user must be written user:password" >&2; exit 2 ;;
  esac
done
if [ ! -s /mosquitto/config/passwords ] && [ "$anonymous" != yes ]; then
  echo "entrypoint: no users: set THUBON_BROKER_USERS_FILE or THUBON_BROKER_USERS" >&2
  exit 2
fi
# Turns every password of the file into its salted hash.
if [ -s /mosquitto/config/passwords ]; then mosquitto_passwd -U /mosquitto/config/passwords; fi

{
  echo "listener 1883"
  if [ "$anonymous" = yes ]; then echo "allow_anonymous true"; else echo "allow_anonymous false"; fi
  echo "password_file /mosquitto/config/passwords"
} >/mosquitto/config/listener.conf

exec "$@"
