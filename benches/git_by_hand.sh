#!/bin/sh
# What a person would type for COUNT worktrees with one edit each: `git_by_hand.sh COUNT REPO FOLDER`.
# Registered one after the other, as git has one registry; all else at once, as the agents do it.
set -eu
count=$1 repo=$2 folder=$3
cd "$repo"
base=$(git rev-parse HEAD)

one() {
  cd "$folder/$1"
  git checkout --quiet HEAD -- .
  echo "count = 2" >count.txt
  git add -A
  tree=$(git write-tree)
  commit=$(git commit-tree -p "$base" -m "agent $1" "$tree")
  git update-ref "refs/heads/by-hand/$1" "$commit" "$base"
  git worktree unlock .
}

for i in $(seq "$count"); do
  git worktree add --quiet --no-checkout --lock -b "by-hand/$i" "$folder/$i" "$base"
done
pids=
for i in $(seq "$count"); do
  one "$i" &
  pids="$pids $!"
done
for pid in $pids; do
  wait "$pid"
done
echo "done $count"
