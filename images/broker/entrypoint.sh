#!/bin/sh
# Writes the listener and the password file, then starts Mosquitto.
#
# THUBON_BROKER_USERS       user:password pairs, parted by spaces
# THUBON_BROKER_USERS_FILE  the same, one a line, from a file (a secret)
# THUBON_BROKER_ACL         access control file; without one every user may read and write everything
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
# The health check gets a password of its own at every start.
health=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "health:$health" >>/mosquitto/config/passwords
echo "$health" >/mosquitto/config/health
# Turns every password of the file into its salted hash.
mosquitto_passwd -U /mosquitto/config/passwords

{
  echo "listener 1883"
  if [ "$anonymous" = yes ]; then echo "allow_anonymous true"; else echo "allow_anonymous false"; fi
  echo "password_file /mosquitto/config/passwords"
  if [ -n "${THUBON_BROKER_ACL:-}" ]; then
    # A copy of our own: Mosquitto wants to be the owner and the only reader.
    cat "$THUBON_BROKER_ACL" >/mosquitto/config/acl
    echo "acl_file /mosquitto/config/acl"
  fi
} >/mosquitto/config/listener.conf

exec "$@"
