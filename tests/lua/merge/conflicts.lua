-- repo
-- `on_conflict` gets the half-merged files; what it makes of them is the merge.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check([[
printf '1\n2\n3\n' > shared; printf 'x' > gone; git add shared gone; git commit -qm base
git checkout -q -b work; printf 'work\n2\n3\n' > shared; git rm -q gone; echo w > w; git add .
git commit -qm work
git checkout -q main; printf 'main\n2\n3\n' > shared; printf 'y' > gone; git commit -qam own
]])
local before = git_of("rev-parse main")
local function untouched()
  assert(git_of("rev-parse main") == before, "the target is where it was")
  assert(git_of("status --porcelain -uno") == "", "and its checkout as it was")
  assert(#git.worktrees() == 1, "and no worktree is left")
end

local merged, e = git.try_merge("work")
assert(merged == nil and e.merge.status == "conflicted", "without anybody it is an error")
assert(table.concat(e.merge.paths, " ") == "gone shared", "of both")
untouched()

merged, e = git.try_merge {
  branch = "work",
  on_conflict = function(conflict)
    assert(conflict.branch == "work" and conflict.into == "main", "names")
    assert(table.concat(conflict.paths, " ") == "gone shared", "paths")
    assert(conflict.conflicts[1].kind == "modify/delete", conflict.conflicts[1].kind)
    local text = conflict.worktree:sh("cat shared").stdout
    assert(text:find("<<<<<<< main\nmain\n") and text:find("\nwork\n>>>>>>> work\n"), text)
    local said = conflict.conflicts[1].message
    assert(said:find("gone deleted in work and modified in main", 1, true), said)
    local status = conflict.worktree:sh("git status --porcelain").stdout
    assert(status:find("UU shared", 1, true) and status:find("UD gone", 1, true), status)
    return true
  end,
}
assert(merged == nil and e.message:find("`shared` still has conflict markers", 1, true), e.message)
untouched()

merged, e = git.try_merge {
  branch = "work",
  on_conflict = function()
    return false, "too hard"
  end,
}
assert(e.kind == "git" and e.message:find("too hard$") and e.merge.status == "conflicted")
untouched()

local mine = { "mine" }
local ok, raised = pcall(git.merge, {
  branch = "work",
  on_conflict = function()
    error(mine)
  end,
})
assert(not ok and rawequal(raised, mine), "a raised value comes out as it was")
untouched()

merged, e = git.try_merge {
  branch = "work",
  on_conflict = function(conflict)
    conflict.worktree:sh("echo both > shared")
  end,
}
assert(merged == nil and e.message:find("`gone` is as the conflict left it", 1, true), e.message)
untouched()

merged = git.merge {
  branch = "work",
  message = "by hand",
  verify = "grep -q both shared",
  on_conflict = function(conflict)
    conflict.worktree:sh("echo both > shared; git checkout -q --ours gone")
    return true
  end,
}
assert(merged.status == "merged", "resolved")
assert(git_of("log -1 --format=%s") == "by hand")
assert(git_of("rev-parse main^2") == git_of("rev-parse work"), "with two parents")
assert(fs.read("shared") == "both\n" and fs.read("gone") == "y" and fs.exists("w"), "all of it")
assert(#git.worktrees() == 1, "no worktree is left")

for options, message in pairs {
  [{ branch = "work", on_conflict = 1 }] = "must be a function or a query",
  [{ branch = "work", strategy = "rebase", on_conflict = print }] = "goes with",
} do
  local ok, e = pcall(git.merge, options)
  assert(not ok and e.kind == "usage" and e.message:find(message, 1, true), tostring(e))
end
