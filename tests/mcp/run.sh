#!/bin/sh
# Lets an agent use the official MCP servers, over standard input and output and over streamable HTTP:
# tests/mcp/run.sh [PATH_TO_AGENTLUA]
# Without node or a registry to take them from it says so and succeeds; where `CI` is set it fails.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
agentlua=${1:-}
if [ -z "$agentlua" ]; then
  cd "$here/../.."
  cargo build --quiet --bin agentlua
  agentlua=$(CDPATH='' cd -- "${CARGO_TARGET_DIR:-target}/debug" && pwd)/agentlua
fi

version=2026.8.31
servers=${XDG_CACHE_HOME:-$HOME/.cache}/agentlua-ci/mcp-$version
if [ ! -d "$servers/node_modules" ] && ! { command -v npm >/dev/null &&
  npm install --silent --no-audit --no-fund --prefix "$servers.$$" \
    "@modelcontextprotocol/server-everything@$version" \
    "@modelcontextprotocol/server-filesystem@$version" &&
  mkdir -p "$(dirname "$servers")" && mv "$servers.$$" "$servers"; }; then
  echo "skipped: the MCP servers cannot be installed here" >&2
  [ -z "${CI:-}" ]
  exit
fi

work=$(mktemp -d)
host=
trap 'if [ -n "$host" ]; then kill "$host" || true; fi; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
  console.log(s.address().port); s.close() })')
PORT=$port node "$servers/node_modules/.bin/mcp-server-everything" streamableHttp \
  >"$work/host.log" 2>&1 &
host=$!
tries=0
until grep -q "listening on port" "$work/host.log"; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ] || ! kill -0 "$host"; then
    cat "$work/host.log" >&2
    exit 1
  fi
  sleep 0.1
done
mkdir "$work/files"
echo "kept in a file" >"$work/files/a.txt"
cd "$work/files"
"$agentlua" run --quiet "$here/official.lua" "$servers/node_modules/.bin" "http://127.0.0.1:$port/mcp"
echo "the official MCP servers work over both transports"
