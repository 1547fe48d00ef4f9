-- exit: 1
-- An agent that could not begin has failed, also when the script is content with that.
local settled = agent.map_settled({ 1, 2 }, function(i)
  return agent.query("hi " .. i)
end)
for _, one in ipairs(settled) do
  assert(not one.ok and one.error.kind == "model", "no key is set")
end
