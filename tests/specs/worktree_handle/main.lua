-- repo
-- Worktrees of the script's own: closed, they go when a commit holds all of them, else they stay.
do
  local wt <close> = git.worktree { branch = "tidy" }
  print(wt.branch, wt.path ~= nil, fs.exists(wt.path))
  wt:sh("echo one > one.txt")
  print(wt:diff().files[1].path, wt:diff().additions)
  wt:commit("one file")
end
print("after closing", #git.worktrees())

do
  local wt <close> = git.worktree { branch = "dirty", base = "tidy" }
  print(fs.exists(wt.path .. "/one.txt"))
  wt:sh("echo two > two.txt")
  print(select(2, pcall(wt.remove, wt)).message:match("holds changes"))
end
print("kept", #git.worktrees(), git.worktrees()[2].locked)

local open = git.worktree { branch = "left-open" }
print(open.branch, #git.worktrees())
