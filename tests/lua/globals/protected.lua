-- Our globals cannot be assigned by mistake; everything else is the script's own.
for _, name in ipairs { "agent", "git", "github", "sh", "fs", "json", "log" } do
  local ok, e = pcall(load(name .. " = 5"))
  assert(not ok and e.kind == "usage", name .. " is protected: " .. tostring(e))
  assert(e.message == "`" .. name .. "` is agentlua's and cannot be assigned", e.message)
  assert(not pcall(load("function " .. name .. "() end")), "also as a function")
  assert(type(_G[name]) == "table", "and is still there")
end
mine = 1
assert(mine == 1 and rawget(_G, "mine") == 1, "other globals are plain")
local git = "shadow"
assert(git == "shadow", "a local may hide one")
assert(debug.sethook == nil and debug.getupvalue == nil, "what would unhinge the bridge is gone")
assert(require("debug") == debug and debug.getinfo(1, "l").currentline > 0, "the rest is there")
assert(package.loadlib == nil and package.cpath == "", "no C modules")
