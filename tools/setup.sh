#!/usr/bin/env bash
# Makes .venv with the pinned dependencies and this package in it. Does nothing when nothing changed since the last time.
#
# PYTHON             the interpreter to take (default: the first of python3, python3.13, python3.12, python3.11 that is 3.11 or later)
# THUBON_INSTALL=no  never installs system packages
# Exit status: 0 done, 1 failed and why.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.thubon-setup

give_up() {
  printf '%s\n' "setup: $1" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  give_up "Python 3.11 or later is needed; found none. Debian 12 or later, Ubuntu 24.04 or later: apt-get install python3. Elsewhere name it: make setup PYTHON=/path/to/python3.11"
}

# What the environment was made from: a change in any of it makes it again.
fingerprint() {
  {
    # An environment that was moved, or whose interpreter was upgraded, is no longer the one that was made.
    $venv/bin/python -c 'import sys; print(sys.version, sys.prefix)'
    cat requirements.lock pyproject.toml hatch_build.py
    # The page is built while the package is installed.
    find api/dashboard -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    ls api/dashboard/dist/index.html
  } 2>&1 | sha256sum | cut -d ' ' -f 1
}

make_venv() {
  rm -rf "$venv"
  if "$1" -m venv "$venv" >/dev/null 2>&1; then return; fi
  # Debian's python3 comes without ensurepip. Pip then comes from the system's pip or, where an index is named, from its
  # own wheel: no system package.
  rm -rf "$venv"
  if "$1" -m venv --without-pip "$venv" 2>/dev/null; then
    if "$1" -m pip --python "$venv/bin/python" install --quiet pip 2>/dev/null; then return; fi
    if [ -n "${PIP_INDEX_URL:-}" ] && "$venv/bin/python" tools/bootstrap_pip.py; then return; fi
  fi
  rm -rf "$venv"
  package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ] && [ "${THUBON_INSTALL:-yes}" != no ] && command -v apt-get >/dev/null; then
    echo "setup: installing $package" >&2
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2
    if "$1" -m venv "$venv"; then return; fi
    rm -rf "$venv"
  fi
  give_up "$1 cannot make virtual environments. Install the one package it lacks: apt-get install $package"
}

up_to_date() {
  [ -x $venv/bin/python ] && [ -f $stamp ] && [ "$(cat $stamp)" = "$(fingerprint)" ]
}

if up_to_date; then exit 0; fi
# One at a time: two commands started together would tear each other's environment down.
exec 9>.setup.lock
flock 9
if up_to_date; then exit 0; fi

if ! $venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  python=$(find_python)
  echo "setup: making $venv with $python" >&2
  make_venv "$python"
fi
rm -f $stamp
echo "setup: installing the pinned dependencies" >&2
$venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
echo "setup: building the page and installing thubon" >&2
# The build tools are in the lock, so no second environment is made for them.
$venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fingerprint >$stamp
