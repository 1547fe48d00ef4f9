-- Every pair of the branches `b1` … `bN`: `conflicts.lua N`.
local branches = {}
for i = 1, math.tointeger(arg[1]) do
  branches[i] = "b" .. i
end
print("done " .. #git.conflicts(branches))
