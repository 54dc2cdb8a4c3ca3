#!/usr/bin/env bash
# Builds the images named (targets of the Dockerfile: timescaledb, broker, app; without arguments timescaledb and broker).
#
# Where the base image cannot be pulled it is made from Debian's own packages, as root, with mmdebstrap.
#
# THUBON_BASE_IMAGE     base to build on (default debian:trixie-slim)
# THUBON_DEBIAN_MIRROR  where the packages of a base image made here come from (default: Debian's own)
# THUBON_INSTALL=no     does not install mmdebstrap, says what is missing instead
# Exit status: 0 the images stand, 1 not.
set -euo pipefail
cd "$(dirname "$0")/.."

base=${THUBON_BASE_IMAGE:-debian:trixie-slim}
mirror=${THUBON_DEBIAN_MIRROR:-}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(timescaledb broker)

give_up() {
  printf '%s\n' "docker_images: $1" >&2
  exit 1
}

make_base() {
  if [ "$(id -u)" != 0 ]; then
    give_up "$base cannot be pulled, and making it from Debian packages needs root. Load it once (docker load), or name another with THUBON_BASE_IMAGE."
  fi
  if ! command -v mmdebstrap >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    [ "${THUBON_INSTALL:-yes}" != no ] || give_up "$base cannot be pulled; to make it, install mmdebstrap and debian-archive-keyring."
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >&2 ||
      { apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >&2; }
  fi
  echo "docker_images: making $base from Debian packages" >&2
  # The exclusions are those of Debian's own slim images: nothing there serves a container.
  mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --aptopt='Acquire::Languages "none"' \
    trixie - ${mirror:+"$mirror"} | docker import --change 'CMD ["bash"]' - "$base" >/dev/null
}

if ! docker image inspect "$base" >/dev/null 2>&1; then
  # Bounded: a network that swallows packets must not hold the build for minutes.
  if ! timeout 90 docker pull --quiet "$base" >/dev/null 2>&1; then
    [ "$base" = debian:trixie-slim ] || give_up "$base cannot be pulled."
    make_base
  fi
fi

for target in "${targets[@]}"; do
  echo "docker_images: building thubon-$target" >&2
  log=$(mktemp)
  # The classic builder: the engine of Debian 12 comes without buildx.
  if ! DOCKER_BUILDKIT=0 docker build --quiet --target "$target" --tag "thubon-$target" \
    --build-arg BASE_IMAGE="$base" . >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    give_up "the image $target did not build."
  fi
  rm -f "$log"
done
