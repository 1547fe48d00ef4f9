-- A tool that raises is warned of on standard error, with its line.
fs.write(
  "inner.lua",
  [[
local broken = agent.tool {
  name = "broken", description = "x",
  run = function()
    local t = nil
    return t.field
  end,
}
agent.query {
  prompt = "x",
  tools = { broken },
  model = agent.model { reply = function(request)
    return request.turn == 1 and { tools = { { name = "broken" } } } or "done"
  end },
}
]]
)
local exe = "/proc/" .. fs.read("/proc/self/stat"):match("^%d+") .. "/exe"
local ran = sh.run { cmd = exe, args = { "run", "--quiet", "inner.lua" } }
local expected = "warning: tool `broken`: inner.lua:5: attempt to index a nil value (local 't')"
assert(ran.stderr:find(expected, 1, true), ran.stderr)
