-- repo
-- Many branches at once: what is good lands by one move, the rest is reported.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check([[
printf '1\n2\n3\n' > shared; git add shared; git commit -qm base
for n in a b c bad; do git checkout -q -b $n main; echo $n > $n.txt; git add .; git commit -qm $n; done
for n in left right; do git checkout -q -b $n main; echo $n > shared; git commit -qam $n; done
git checkout -q main
]])
local base = git_of("rev-parse main")
local runs = 0
local function verify(wt)
  runs = runs + 1
  return not wt:sh("test -e bad.txt").ok, "there is bad.txt"
end

local ok, e = pcall(git.merge, {
  branches = { "left", "a", "bad", "b", "c", "right" },
  verify = verify,
})
assert(not ok and e.kind == "git" and e.merge.status == "partial", tostring(e))
assert(e.message:find("^2 of 6 branches did not land on `main`: "), e.message)
local by = {}
for place, one in ipairs(e.merge.merges) do
  by[one.branch] = one
  by[place] = one.branch
end
assert(table.concat(by, " ") == "left a bad b c right", "in the order of the call")
assert(by.bad.status == "verify_failed" and by.bad.output == "there is bad.txt", "bisected")
assert(by.right.status == "conflicted" and by.right.paths[1] == "shared", "the second of two")
for _, name in ipairs { "a", "b", "c", "left" } do
  assert(by[name].status == "merged" or by[name].status == "fast_forward", by[name].status)
  assert(sh("git merge-base --is-ancestor " .. name .. " main").ok, name .. " landed")
end
assert(git_of("rev-parse main") == e.merge.commit and e.merge.into == "main", "where the target is")
assert(git_of("status --porcelain -uno") == "" and fs.exists("c.txt"), "the checkout followed")
assert(git_of("reflog main --format=%gs"):find("merge a`, `b`, `c`, `left", 1, true), "in one move")
assert(runs <= 6, "bisected: " .. runs)
assert(#git.worktrees() == 1, "no worktree is left")

sh.check("git reset -q --hard " .. base)
local merged, e2 =
  git.try_merge { branches = { "a", "bad" }, verify = "! test -e bad.txt", all = true }
assert(merged == nil and e2.kind == "verify" and e2.merge.status == "verify_failed", tostring(e2))
assert(e2.merge.merges[1].status == "held_back" and e2.merge.commit == base, "nothing landed")
assert(git_of("rev-parse main") == base)

local _, e3 = git.try_merge { branches = { "a", "b" }, verify = "false" }
assert(e3.message:find("on `main` as it is", 1, true), e3.message)

merged = git.merge { branches = { "a", "b" }, strategy = "squash" }
assert(merged.status == "merged" and #merged.merges == 2 and merged.merges[2].status == "merged")
assert(git_of("log --format=%s -2") == "Squash branch 'b'\nSquash branch 'a'")
merged = git.merge { branches = { "a", "b" }, strategy = "squash" }
assert(merged.status == "up_to_date", "again changes nothing")
assert(git.merge({ branches = {} }).status == "up_to_date", "nor do none")
for _, options in ipairs {
  { branches = { "a" }, branch = "b" },
  { branches = "a" },
  { branches = { "a" }, strategy = "ff" },
  { branch = "a", all = true },
} do
  local ok, e = pcall(git.merge, options)
  assert(not ok and e.kind == "usage", tostring(e))
end
