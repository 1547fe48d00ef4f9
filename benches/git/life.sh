#!/bin/sh
# What a person types for COUNT worktrees, each with TURNS commits of one new file:
# `life.sh COUNT TURNS keep|remove REPO FOLDER`.
set -eu
count=$1 turns=$2 end=$3 repo=$4 folder=$5
cd "$repo"
for i in $(seq "$count"); do
  git worktree add --quiet -b "by-hand/$i" "$folder/$i" 2>/dev/null
done
sleep 1.1
for i in $(seq "$count"); do
  cd "$folder/$i"
  mkdir out
  for turn in $(seq "$turns"); do
    echo "$turn" >"out/$turn.txt"
    git add -A
    git commit --quiet -m "turn $turn"
  done
done
cd "$repo"
if [ "$end" = remove ]; then
  for i in $(seq "$count"); do
    git worktree remove "$folder/$i"
    git branch --quiet -D "by-hand/$i"
  done
fi
echo "done $count"
