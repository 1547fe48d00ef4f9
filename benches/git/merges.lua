-- Merges `b1` … `bN` into the branch that is checked out: `merges.lua N`.
local count = math.tointeger(arg[1])
for i = 1, count do
  git.merge("b" .. i)
end
print("done " .. count)
