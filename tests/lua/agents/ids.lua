-- Places in the script, and so ids, do not depend on who is done first.
local function model(seconds)
  return agent.model {
    reply = function()
      agent.sleep(seconds)
      return "ok"
    end,
  }
end
local first = agent.all {
  a = { prompt = "x", model = model(0.03) },
  b = { prompt = "x", model = model(0) },
}
assert(first.a.id ~= first.b.id, "each has its own")
assert(first.a.id:match("^agent%-%x%x%x%x+$"), first.a.id)
assert(first.a.label == "a" and first.b.label == "b", "keys are labels")
local ok, e = pcall(agent.all, { first.a })
assert(not ok and e.hint:find("pass the query's table alone", 1, true), "an outcome is no item")
ok, e = pcall(agent.all, first.a)
assert(not ok and e.message:find("was given an outcome", 1, true), tostring(e))
