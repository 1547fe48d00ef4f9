#!/bin/sh
# Runs agentlua against servers of other people, which it installs from PyPI and starts by itself:
#   tests/outside/run.sh [bridge|small_model]…
# LiteLLM's proxy between two wire formats (bridge), and a real model on llama.cpp's server (small_model). What is
# installed is kept in the cache. What cannot be installed here is skipped with a word; what runs has to pass.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/agentlua-ci/outside
# The longest that an installation may take, in seconds.
patience=${OUTSIDE_PATIENCE:-600}
# No files beside the sources.
export PYTHONDONTWRITEBYTECODE=1

cd "$here/../.."
cargo build --quiet --locked --example standin --bin agentlua
built=$(CDPATH='' cd -- "${CARGO_TARGET_DIR:-target}/debug" && pwd)

# Makes an environment with what a check needs, unless it is there; it is moved into its place when it is whole.
install() {
  [ ! -x "$venv/bin/python" ] || return 0
  rm -rf "$venv" "$venv".new.* && mkdir -p "$cache"
  new=$venv.new.$$
  # A virtual environment has its own path in it, so the mark of being whole is a link.
  python3 -m venv "$new" || return 1
  timeout "$patience" "$new/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    --requirement "$here/$check/requirements.txt" || return 1
  ln -s "$new" "$venv"
}

[ $# -gt 0 ] || set -- bridge small_model
for check in "$@"; do
  began=$(date +%s)
  venv=$cache/$check-$(cksum <"$here/$check/requirements.txt" | cut -d ' ' -f 1)
  if ! install; then
    rm -rf "$venv" "$venv".new.*
    echo "skipped: what $check needs cannot be installed here" >&2
    continue
  fi
  installed=$(date +%s)
  case $check in
    bridge) "$venv/bin/python" "$here/$check/check.py" "$built/examples/standin" "$built/agentlua" ;;
    *) "$venv/bin/python" "$here/$check/check.py" "$built/agentlua" ;;
  esac
  echo "$check: installed in $((installed - began)) s, passed in $(($(date +%s) - installed)) s"
done
