-- A phase is said; one that cannot be shown in a line is refused.
agent.phase("looking")
agent.phase("  landing  ")
for _, case in ipairs {
  { "", "`agent.phase`: `name` is empty" },
  { "  ", "`agent.phase`: `name` is empty" },
  { "a\nb", "`agent.phase`: `name` must be one line of text" },
  { "a\27[31mb", "`agent.phase`: `name` must be one line of text" },
  { ("x"):rep(201), "`agent.phase`: `name` is longer than 200 letters" },
} do
  local ok, e = pcall(agent.phase, case[1])
  assert(not ok and e.kind == "usage" and e.message == case[2], tostring(e))
end
local ok, e = pcall(agent.phase, 7)
assert(not ok and e.message:find("must be a string", 1, true), tostring(e))
assert(select("#", agent.phase("done")) == 0, "it returns nothing")
