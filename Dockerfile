# Images of Thu Bon, all from Debian 13. Written for the classic builder too: no RUN --mount, no heredocs.
#   timescaledb  PostgreSQL 17 with TimescaleDB 2.19, Apache edition
#   broker       Mosquitto 2
#   app          ingest, api, simulators, migrations and the built page
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS timescaledb
ARG DEBIAN_MIRROR=http://deb.debian.org/debian
# Debian's package would make a cluster of its own at install time; ours is made in the volume at first start.
RUN mkdir -p /etc/postgresql-common \
 && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      postgresql-17 postgresql-17-timescaledb tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /docker-entrypoint-initdb.d /etc/thubon /var/lib/postgresql/data \
 && chown postgres:postgres /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY images/timescaledb/postgresql.conf /etc/thubon/postgresql.conf
COPY images/timescaledb/100-thubon.sh /docker-entrypoint-initdb.d/
COPY images/timescaledb/entrypoint.sh /usr/local/bin/
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["entrypoint.sh"]
CMD ["postgres"]

FROM ${BASE_IMAGE} AS broker
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mosquitto mosquitto-clients \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /mosquitto/data /mosquitto/config \
 && chown mosquitto:mosquitto /mosquitto/data /mosquitto/config
COPY images/broker/mosquitto.conf /etc/mosquitto/mosquitto.conf
COPY images/broker/entrypoint.sh /usr/local/bin/
USER mosquitto
VOLUME /mosquitto/data
EXPOSE 1883
ENTRYPOINT ["entrypoint.sh"]
CMD ["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]
