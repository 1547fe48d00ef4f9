-- repo
-- A branch that no agent made is never deleted, also when nothing was added to it.
sh.check("git branch mine")
local idle = agent.model {
  reply = function()
    return "nothing to do"
  end,
}
agent.query { prompt = "x", branch = "mine", if_exists = "continue", model = idle }
agent.query { prompt = "x", branch = "theirs", model = idle }
-- At the end of the run, which a second one looks at.
fs.write(
  "second.lua",
  [[
  local idle = agent.model { reply = function() return "x" end }
  agent.query { prompt = "x", branch = "mine", if_exists = "continue", model = idle }
  agent.query { prompt = "x", branch = "fresh", model = idle }
]]
)
local binary = "/proc/" .. fs.read("/proc/self/stat"):match("%d+") .. "/exe"
sh.check(binary .. " run second.lua")
local names = sh.check("git branch --format='%(refname:short)'").stdout
assert(names:find("mine", 1, true), "the user's stays: " .. names)
assert(not names:find("fresh", 1, true), "an agent's goes: " .. names)
