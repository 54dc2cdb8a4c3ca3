# Images of Thu Bon, all from Debian 13. Written for the classic builder too: no RUN --mount, no heredocs.
#   timescaledb  PostgreSQL 17 with TimescaleDB 2.19, Apache edition
#   broker       Mosquitto 2
#   app          ingest, api, simulators, migrations and the built page
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS timescaledb
# Debian's package would make a cluster of its own at install time; ours is made in the volume at first start.
RUN mkdir -p /etc/postgresql-common \
 && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      postgresql-17 postgresql-17-timescaledb tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /docker-entrypoint-initdb.d /etc/thubon /var/lib/postgresql/data \
 && chown postgres:postgres /var/lib/postgresql/data \
 # On a read-only file system memory is mounted here, and takes this mode but not the owner.
 && chmod 1777 /run/postgresql
ENV PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY images/timescaledb/postgresql.conf /etc/thubon/postgresql.conf
COPY images/timescaledb/100-thubon.sh /docker-entrypoint-initdb.d/
COPY images/timescaledb/entrypoint.sh /usr/local/bin/
VOLUME /var/lib/postgresql/data
EXPOSE 5432
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD pg_isready -q -h 127.0.0.1 -U "${POSTGRES_USER:-postgres}"
STOPSIGNAL SIGINT
ENTRYPOINT ["entrypoint.sh"]
CMD ["postgres"]

FROM ${BASE_IMAGE} AS broker-accounts
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      gcc libc6-dev libmosquitto-dev libssl-dev mosquitto-dev uthash-dev \
 && rm -rf /var/lib/apt/lists/*
COPY images/broker/accounts.c /src/
RUN gcc -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion -Werror -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
      -fPIC -shared -Wl,-z,relro,-z,now -o /src/accounts.so /src/accounts.c -lcrypto

FROM ${BASE_IMAGE} AS broker
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mosquitto mosquitto-clients \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /mosquitto/data /mosquitto/config /mosquitto/accounts /mosquitto/state \
 && chown mosquitto:mosquitto /mosquitto/data /mosquitto/config /mosquitto/state \
 # Its writer is the keeper in the image app.
 && chown 10001:10001 /mosquitto/accounts \
 # On a read-only file system memory is mounted here, and takes this mode but not the owner.
 && chmod 1777 /mosquitto/config
COPY --from=broker-accounts /src/accounts.so /usr/lib/thubon/accounts.so
COPY images/broker/mosquitto.conf /etc/mosquitto/mosquitto.conf
COPY images/broker/acl /etc/mosquitto/acl
COPY images/broker/entrypoint.sh images/broker/healthy.sh /usr/local/bin/
USER mosquitto
VOLUME /mosquitto/data
EXPOSE 1883 8883 8884
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD healthy.sh
ENTRYPOINT ["entrypoint.sh"]
CMD ["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]

FROM ${BASE_IMAGE} AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/*
# Authorities of a proxy that inspects TLS, if any; see images/ca/README.md.
COPY images/ca/ /usr/local/share/ca-certificates/
RUN update-ca-certificates
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements-app.lock /src/
RUN python3 -m venv /opt/thubon && /opt/thubon/bin/pip install --require-hashes -r /src/requirements-app.lock
COPY . /src
RUN cd /src && /opt/thubon/bin/pip install --no-deps . && /opt/thubon/bin/pip uninstall --yes pip

FROM ${BASE_IMAGE} AS app
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin thubon \
 && mkdir -p /var/lib/thubon/accounts /var/lib/thubon/state /var/lib/thubon/credentials \
 && chown thubon:thubon /var/lib/thubon/accounts /var/lib/thubon/credentials
COPY images/ca/ /usr/local/share/ca-certificates/
RUN update-ca-certificates
COPY --from=build /opt/thubon /opt/thubon
ENV PATH=/opt/thubon/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER thubon
WORKDIR /tmp
EXPOSE 8000 9108
CMD ["python", "-m", "api"]
