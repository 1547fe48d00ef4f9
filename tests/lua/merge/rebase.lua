-- repo
-- The branch's own commits, one by one, on top of the target.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n+$", ""))
end
sh.check([[
printf '1\n2\n3\n' > shared; git add shared; git commit -qm base
git checkout -q -b work
echo 1 > one; git add .; GIT_AUTHOR_NAME='Ünal' GIT_AUTHOR_EMAIL=u@x GIT_AUTHOR_DATE='1700000000 +0330' \
  git commit -qm 'one

body'
git commit -q --allow-empty -m empty
echo 2 > two; git add .; git commit -qm two
git checkout -q -b clash HEAD~1; echo clash > shared; git commit -qam 'clashes here'
git checkout -q main; echo own > shared; git commit -qam own; git cherry-pick work >/dev/null
]])
local merged = git.merge { branch = "work", strategy = "rebase" }
assert(merged.status == "merged")
assert(git_of("log --format=%s -3") == "one\ntwo\nown", "in order; what is empty or there is not")
local whose = git_of("log -1 --format='%an|%ae|%ad|%cn|%b' --date=raw")
assert(whose == "Ünal|u@x|1700000000 +0330|Ada|body", whose)
assert(fs.exists("one") and git_of("status --porcelain -uno") == "", "the checkout followed")
local tip = git_of("rev-parse main")
local _, e = git.try_merge { branch = "clash", strategy = "rebase" }
assert(e.merge.status == "conflicted" and e.merge.paths[1] == "shared", tostring(e))
assert(e.merge.commit == git_of("rev-parse clash"), "it names the commit")
assert(
  e.message:find("(`clashes here`) of `clash` on `main` conflicts in `shared`", 1, true),
  e.message
)
assert(git_of("rev-parse main") == tip)
-- A merge commit is left out; one that resolved something would be lost.
sh.check([[
git checkout -q -b merges main~1; echo 3 > three; git add .; git commit -qm three
git merge -q main; echo 4 > four; git add .; git commit -qm four
git checkout -q main; echo 5 > five; git add .; git commit -qm five
]])
merged = git.merge { branch = "merges", strategy = "rebase" }
assert(git_of("log --format=%s -3") == "four\nthree\nfive", git_of("log --format=%s -3"))
sh.check([[
git checkout -q -b evil main~1; echo 6 > six; git add .; git commit -qm six
git merge -q --no-commit --no-ff main; echo evil > evil; git add .; git commit -qm evil
git checkout -q main; echo 7 > seven; git add .; git commit -qm seven
]])
_, e = git.try_merge { branch = "evil", strategy = "rebase" }
assert(e.merge.status == "refused" and e.merge.reason == "merges", tostring(e))
