-- `require`: beside the script, with a top level that waits, once for all.
fs.mkdir("lib/deep")
fs.write(
  "lib/slow.lua",
  "loads = (loads or 0) + 1 agent.sleep(0.02) return { name = ..., path = select(2, ...) }"
)
fs.write("lib/deep/init.lua", "return 'deep'")
fs.write("nothing.lua", "")
fs.write("wrong.lua", "local x = = 1")
fs.write("fails.lua", "tries = (tries or 0) + 1 error({ code = tries })")
fs.write("a.lua", "agent.sleep(0) return require 'b'")
fs.write("b.lua", "agent.sleep(0) return require 'a'")
fs.write("parent.lua", "return agent.all { function() return require 'parent' end }")
fs.write("left.lua", "agent.sleep(0.02) return require 'right'")
fs.write("right.lua", "agent.sleep(0.02) return require 'left'")

local seen = agent.map({ 1, 2, 3 }, function()
  return require("lib.slow")
end)
assert(_G.loads == 1 and rawequal(seen[1], seen[3]), "three tasks, one load")
local slow, path = require("lib.slow")
assert(
  slow.name == "lib.slow" and slow.path == "lib/slow.lua",
  "a module is told its name and file"
)
assert(require("lib.deep") == "deep", "a folder with an init.lua")
assert(require("nothing") == true and package.loaded.nothing == true, "as in Lua")

local ok, e = pcall(require, "no.such")
assert(not ok and e:find("module 'no.such' not found", 1, true), tostring(e))
assert(e:find("no file 'no/such.lua'", 1, true), "it says where it looked: " .. e)
ok, e = pcall(require, "wrong")
assert(not ok and e:find("wrong.lua:1:", 1, true), "a syntax error has its line: " .. tostring(e))
ok, e = pcall(require, "fails")
assert(not ok and e.code == 1, "an error keeps its value")
ok, e = pcall(require, "fails")
assert(not ok and e.code == 2, "and a failed load is tried again")

for _, name in ipairs { "a", "parent" } do
  ok, e = pcall(require, name)
  assert(not ok and e.kind == "usage", "a loop of " .. name .. ": " .. tostring(e))
  assert(e.message:find("requires itself, perhaps through another", 1, true), e.message)
end
ok, e = pcall(agent.map, { "left", "right" }, require)
assert(not ok and e.message:find("requires itself", 1, true), "a loop through two tasks")

for _, name in ipairs { "agent", "git", "github", "sh", "fs", "json", "log" } do
  assert(rawequal(require("agentlua." .. name), _G[name]), name .. " is a module too")
end
assert(not pcall(require, "lfs"), "C modules are not loaded")
