#!/bin/sh
# Writes the listeners and the password file of programs, then starts Mosquitto.
#
# THUBON_BROKER_USERS       user:password pairs, parted by spaces
# THUBON_BROKER_USERS_FILE  the same, one a line, from a file (a secret)
# THUBON_BROKER_ACL         access control file; without one every user may read and write everything
# THUBON_BROKER_ANONYMOUS   yes: no password is asked; for tests and demos on loopback alone
# THUBON_BROKER_ACCOUNTS    file of the devices' accounts, which `python -m devices broker keep` writes; without one no
#                           device has an account of its own
# THUBON_BROKER_KNOCKS      yes: a device without an account may knock, under its own name alone, with a certificate that
#                           the authority signed
# THUBON_BROKER_CERTIFICATE_FILE, THUBON_BROKER_KEY_FILE, THUBON_BROKER_CA_FILE
#                           certificate of the server, its key, and the authority of devices' certificates: with them
#                           port 8883 (password) and port 8884 (client certificate) speak TLS 1.2 or later
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
  if [ -n "${THUBON_BROKER_ACCOUNTS:-}" ]; then
    echo "plugin /usr/lib/thubon/accounts.so"
    echo "plugin_opt_accounts_file $THUBON_BROKER_ACCOUNTS"
    echo "plugin_opt_state_file /mosquitto/state/accounts.json"
    if [ "${THUBON_BROKER_KNOCKS:-no}" = yes ]; then echo "plugin_opt_knocks true"; fi
  fi
  if [ -n "${THUBON_BROKER_CERTIFICATE_FILE:-}" ]; then
    for port in 8883 8884; do
      echo "listener $port"
      echo "certfile $THUBON_BROKER_CERTIFICATE_FILE"
      echo "keyfile $THUBON_BROKER_KEY_FILE"
      echo "tls_version tlsv1.2"
      echo "ciphers ECDHE+AESGCM:ECDHE+CHACHA20"
      if [ $port = 8884 ]; then
        echo "cafile $THUBON_BROKER_CA_FILE"
        echo "require_certificate true"
      fi
    done
  fi
} >/mosquitto/config/listener.conf

exec "$@"
