#!/usr/bin/env bash
# Checks everything written in Lua here as an editor would, with the types in lua/types: the Lua inside of
# agentlua, scripts, benches, and the blocks of the README, of docs/ and of the types themselves. A warning
# fails. The cases in tests/lua misuse the API on purpose and catch errors that a checker knows nothing
# about, so of them it is asked whether names, arguments and types are there: see tests/editor/cases.json.
# A block that shows a mistake says more than `lua` behind its fence, and is left out.
#
#     tests/editor/run.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tools=${XDG_CACHE_HOME:-$HOME/.cache}/agentlua-ci
version=0.25.1
checker=$tools/bin/emmylua_check
if [ "$("$checker" --version 2>/dev/null || true)" != "emmylua_check $version" ]; then
  cargo install emmylua_check --version "$version" --quiet --locked --force \
    --root "$tools" --target-dir "$tools/target"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for config in strict cases; do
  sed "s|\$types|$root/lua/types|" "$root/tests/editor/$config.json" >"$work/$config.json"
done
# The types lie within lua/: they are no library there.
sed 's|"\$types"||' "$root/tests/editor/strict.json" >"$work/own.json"

# Checks the folder $2 by the configuration $1; what it finds is shown.
check() {
  local found
  if ! found=$("$checker" --config "$work/$1.json" --warnings-as-errors --severity warn "$2" 2>&1); then
    printf '%s\n' "$found" >&2
    return 1
  fi
}

# Writes each block of Lua in the file $1 to a file of its own, at the lines where it stands.
blocks() {
  local name=${1#"$root/"}
  awk -v out="$work/blocks/${name//\//_}" '
    { line = $0; if (FILENAME ~ /\.lua$/) sub(/^---/, "", line) }
    line ~ /^```/ && file { close(file); file = ""; next }
    line == "```lua" { file = out "." NR ".lua"; for (i = 1; i <= NR; i++) print "" > file; next }
    file { print line > file }
  ' "$1"
}

# A check that finds nothing wrong anywhere would pass too.
mkdir "$work/wrong"
cat >"$work/wrong/wrong.lua" <<'LUA'
agent.qeury { prompt = "x" }
agent.query { label = "x" }
local outcome = agent.query { prompt = "x", max_turns = "three" }
print(outcome.worktreepath, git.merge { branch = outcome, strategy = "mrege" })
LUA
found=$("$checker" --config "$work/strict.json" "$work/wrong" 2>&1 || true)
for word in qeury 'fields in type `agent.Query`: `prompt`' worktreepath '"three"' mrege; do
  case $found in
  *"$word"*) ;;
  *) printf 'the checker does not see %s:\n%s\n' "$word" "$found" >&2 && exit 1 ;;
  esac
done

mkdir "$work/blocks"
while IFS= read -r file; do
  blocks "$file"
done < <(find "$root/README.md" "$root/lua/types" "$root/docs" -name '*.md' -o -name '*.lua' 2>/dev/null)
echo "editor: $(find "$work/blocks" -name '*.lua' | wc -l) blocks of Lua in documents"

failed=0
check own "$root/lua" || failed=1
for folder in "$root/scripts" "$root/benches" "$work/blocks"; do
  check strict "$folder" || failed=1
done
check cases "$root/tests/lua" || failed=1
exit "$failed"
