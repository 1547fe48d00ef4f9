#!/bin/sh
# Runs the official Python SDKs and agentlua against the stand-in: tests/sdk/run.sh [PATH_TO_STANDIN PATH_TO_AGENTLUA]
# Without a registry to take the SDKs from it says so and succeeds; where `CI` is set it fails.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
standin=${1:-}
agentlua=${2:-}
if [ -z "$agentlua" ]; then
  cd "$here/../.."
  cargo build --quiet --example standin --bin agentlua
  built=$(CDPATH='' cd -- "${CARGO_TARGET_DIR:-target}/debug" && pwd)
  standin=$built/examples/standin
  agentlua=$built/agentlua
fi

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
trap 'exit 130' INT TERM
if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install --quiet --disable-pip-version-check \
  --requirement "$here/requirements.txt"; then
  echo "skipped: the SDKs cannot be installed here" >&2
  [ -z "${CI:-}" ]
  exit
fi
"$venv/bin/python" "$here/check.py" "$standin" >"$venv/seen.json"
"$venv/bin/python" "$here/compare.py" "$standin" "$agentlua" <"$venv/seen.json"
"$venv/bin/python" "$here/typed.py" "$standin" "$agentlua"
