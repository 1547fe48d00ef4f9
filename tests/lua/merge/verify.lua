-- repo
-- `verify` looks at the merged files before anything moves.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check("git checkout -q -b work && echo new > new.txt && git add . && git commit -qm work")
sh.check("git checkout -q main && echo own > own.txt && git add . && git commit -qm own")
local before = git_of("rev-parse main")

local function refused(verify)
  local merged, e = git.try_merge { branch = "work", verify = verify }
  assert(merged == nil and e.kind == "verify", "it has to fail, not " .. tostring(e))
  assert(e.merge.status == "verify_failed", e.merge.status)
  assert(git_of("rev-parse main") == before and git_of("status --porcelain") == "")
  assert(not fs.exists("new.txt"), "nothing of it is in the checkout")
  return e
end

local e = refused("cat new.txt own.txt; echo to stderr >&2; exit 3")
assert(
  e.message
    == "`cat new.txt own.txt; echo to stderr >&2; exit 3` failed with exit code 3 "
      .. "after merging `work` into `main`",
  e.message
)
assert(e.merge.output == "new\nown\nto stderr", e.merge.output)
assert(refused("yes | head -c 100000; exit 1").merge.output:find("bytes left out here"), "capped")
assert(refused("kill -9 $$").message:find("was ended by signal 9", 1, true))
assert(refused(function()
  return false
end).merge.output == "it returned false")
local no = refused(function()
  return false, "no good"
end)
assert(no.merge.output == "no good")
assert(no.message == "`verify` failed after merging `work` into `main`: no good", no.message)
assert(refused(function()
  return nil, "neither"
end).merge.output == "neither")
assert(refused(function()
  error("boom")
end).merge.output:find("main.lua:%d+: boom"))
assert(refused(function(wt)
  return wt:sh("echo seen; exit 1")
end).merge.output == "seen")

local seen, kept
local merged = git.merge {
  branch = "work",
  verify = function(wt)
    kept = wt
    assert(wt.branch == nil, "it is on no branch")
    assert(wt.path ~= sh.check("pwd").stdout:gsub("\n", ""), "not the checkout")
    seen = wt:sh("cat new.txt own.txt").stdout
    assert(wt:diff().files[1].path == "new.txt", "what the merge brings")
    local ok, e = pcall(wt.commit, wt, "mine")
    assert(not ok and e.message:find("belongs to the merge", 1, true), tostring(e))
    agent.sleep(0.01)
    return wt:sh("true")
  end,
}
assert(merged.status == "merged" and seen == "new\nown\n", "the merged files were there")
assert(git_of("rev-parse main") == merged.commit and fs.exists("new.txt"), "then it landed")
local ok, why = pcall(kept.sh, kept, "true")
assert(not ok and why.message:find("was removed", 1, true), "the worktree is gone")
assert(#git.worktrees() == 1, "and git knows of none")
assert(git.merge({ branch = "work", verify = "false" }).status == "up_to_date", "nothing to verify")
for _, bad in ipairs { 1, "" } do
  local ok, e = pcall(git.merge, { branch = "work", verify = bad })
  assert(not ok and e.kind == "usage", "no command and no function")
end

-- When the target moves meanwhile, the merge is made and verified again.
sh.check("git checkout -q -b more main && echo more > more && git add . && git commit -qm more")
sh.check("git checkout -q main")
local times = 0
merged = git.merge {
  branch = "more",
  verify = function(wt)
    times = times + 1
    if times == 1 then
      sh.check("git commit -q --allow-empty -m between")
    end
    return wt:sh("git log --format=%s -3 | grep -q between || test " .. times .. " = 1")
  end,
}
assert(times == 2 and merged.status == "merged", "verified on what it lands on")
-- Never twice the same: in the end it gives up.
sh.check("git checkout -q -b last main && echo last > last && git add . && git commit -qm last")
sh.check("git checkout -q main")
local _, gave_up = git.try_merge {
  branch = "last",
  verify = function()
    sh.check("git commit -q --allow-empty -m again")
  end,
}
assert(gave_up.merge.reason == "moved", tostring(gave_up))

-- A cancelled merge ends its command and moves nothing.
local tip = git_of("rev-parse main")
for _, verify in ipairs {
  "echo $$ > ../pid; exec sleep 300",
  function()
    agent.sleep(300)
  end,
} do
  local ok, stopped = pcall(agent.timeout, 0.5, function()
    git.merge { branch = "last", verify = verify }
  end)
  assert(not ok and stopped.kind == "timeout", tostring(stopped))
  assert(git_of("rev-parse main") == tip and #git.worktrees() == 1, "nothing moved, nothing left")
end
-- Waiting for the turn is cut short too.
local first = agent.spawn(function()
  git.merge { branch = "last", verify = "sleep 2" }
end)
agent.sleep(0.3)
local ok, stopped = pcall(agent.timeout, 0.3, function()
  git.merge("last")
end)
assert(not ok and stopped.kind == "timeout", tostring(stopped))
assert(git_of("rev-parse main") == tip, "the first is not through")
first:await()
assert(git_of("rev-parse main") ~= tip, "then it is")
