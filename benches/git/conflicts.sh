#!/bin/sh
# The same with one git for each pair: `conflicts.sh N`.
clashes=0
for a in $(seq "$1"); do
  for b in $(seq $((a + 1)) "$1"); do
    git merge-tree --write-tree --name-only "b$a" "b$b" >/dev/null || clashes=$((clashes + 1))
  done
done
echo "done $clashes"
