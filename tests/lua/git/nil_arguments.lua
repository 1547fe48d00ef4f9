-- repo
-- A name that is spelled wrong is nil, and not "no argument".
for _, name in ipairs { "diff", "log", "branches", "status", "show", "conflicts" } do
  local ok, e = pcall(git[name], nil)
  assert(not ok and e.kind == "usage", name .. " refuses nil")
end
local _, e = pcall(function(...)
  return git.diff(...)
end, "HEAD", nil)
assert(e.message == "`git.diff`: argument 2 is nil", e.message)
assert(#git.diff().files == 0 and #git.log() == 1, "without arguments they stay")
assert(git.show("HEAD", nil, {}).id == git.head().commit, "in the middle nil means nothing")
