-- A function runs once for an id in a run, whoever asks and however often.
local ran = 0
local function work()
  ran = ran + 1
  agent.sleep(0.01)
  return { n = ran, list = { 1, 2.5, "x" }, empty = {} }, "second", nil
end
local first, second = agent.once("work", work)
assert(first.n == 1 and second == "second" and #first.list == 3 and first.list[2] == 2.5)
assert(math.type(first.n) == "integer" and math.type(first.list[2]) == "float")
local again = agent.once("work", function()
  error("it has run")
end)
assert(again.n == 1 and again ~= first, "a value of its own for each caller")
assert(agent.once("nothing", function() end) == nil)
assert(agent.once("nothing", work) == nil, "nothing is a result too")

-- Several callers at one time: one runs, the others wait.
ran = 0
local function both()
  return agent.once("both", work).n
end
local all = agent.all { both, both, both }
assert(ran == 1 and all[1] == 1 and all[2] == 1 and all[3] == 1, ran)

-- An error is the caller's, as it was raised, and nothing is kept.
local e = { mine = true }
local ok, raised = pcall(agent.once, "fails", function()
  error(e)
end)
assert(not ok and raised == e, "the very value")
assert(agent.once("fails", function()
  return 1
end) == 1)
local value, why = agent.try_once("fails again", function()
  error("no")
end)
assert(value == nil and tostring(why):find("no"), tostring(why))

-- Of several callers the next one tries when the first has failed.
local tries = 0
local function flaky()
  return pcall(agent.once, "flaky", function()
    tries = tries + 1
    agent.sleep(0.01)
    if tries == 1 then
      error("first")
    end
    return tries
  end)
end
local results = agent.all { flaky, flaky }
assert(tries == 2 and (results[1] == false or results[1] == true))

-- What has no JSON form is named by its place, and the function may run again.
local function complaint(returned)
  local _, problem = pcall(agent.once, "bad", function()
    return returned
  end)
  assert(problem.kind == "usage", problem.kind)
  return problem.message
end
assert(
  complaint { a = { b = print } }
    == "`agent.once`: what `bad` returned.a.b: a function has no JSON form"
)
assert(complaint("\xff"):find("valid UTF-8", 1, true))
assert(complaint({ 0 / 0 }):find("has no JSON form", 1, true))
assert(complaint(("x"):rep(17 << 20)):find("a result of 17 MiB cannot be kept", 1, true))
assert(agent.once("bad", function()
  return "good"
end) == "good")

-- The arguments.
for _, args in ipairs { { "" }, { " " }, { 1, print }, { "id" }, { "id", "no function" } } do
  local _, problem = pcall(agent.once, table.unpack(args))
  assert(problem.kind == "usage", tostring(problem))
end
