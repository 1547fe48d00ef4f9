-- What a script raises comes out as the very same value, whatever it went through.
local values = { { code = 3 }, false, 42, 1.5, io.stdout, print, "text" }
local nested = setmetatable({ "x" }, { __index = { kind = "mine" } })
values[#values + 1] = nested

local function raise(value)
  return function()
    agent.sleep(0)
    error(value, 0)
  end
end
local function raised(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "it has to fail")
  return e
end
for _, value in ipairs(values) do
  local name = " keeps " .. type(value)
  local fail = raise(value)
  assert(rawequal(raised(fail), value), "pcall" .. name)
  assert(rawequal(raised(coroutine.wrap(fail)), value), "coroutine.wrap" .. name)
  assert(rawequal(raised(agent.all, { fail }), value), "agent.all" .. name)
  assert(rawequal(raised(agent.map, { 1 }, fail), value), "agent.map" .. name)
  assert(rawequal(raised(agent.pipeline, { 1 }, { fail }), value), "agent.pipeline" .. name)
  assert(rawequal(raised(agent.timeout, 60, fail), value), "agent.timeout" .. name)
  local task = agent.spawn(fail)
  assert(rawequal(raised(task.await, task), value), "await" .. name)
  assert(rawequal(raised(task.await, task), value), "await, a second time," .. name)
  local _, e = task:try_await()
  assert(rawequal(e, value), "try_await" .. name)
  assert(rawequal(agent.all_settled({ fail })[1].error, value), "all_settled" .. name)
  for _, result, why in agent.iter { fail } do
    assert(result == nil and rawequal(why, value), "iter" .. name)
  end
  e = raised(agent.race, { a = fail })
  assert(e.kind == "tool" and rawequal(e.errors.a, value), "race" .. name)
  local through = raised(agent.all, {
    function()
      return agent.all {
        function()
          agent.spawn(fail):await()
        end,
      }
    end,
  })
  assert(rawequal(through, value), "three tasks deep" .. name)
end

local ok, e = pcall(error)
assert(not ok and e == nil, "nil can be raised too")
local settled = agent.all_settled { error }
assert(not settled[1].ok and settled[1].error == nil, "and settles as a failure")
