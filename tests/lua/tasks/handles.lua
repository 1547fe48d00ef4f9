-- Tasks: started at once, awaited any number of times, cancelled, closed.
local started = false
local task = agent.spawn(function(...)
  started = select("#", ...)
  agent.sleep(0.01)
  return "one", nil, "three"
end, "a", nil)
assert(not started, "spawn itself does not run it")
assert(task:status() == "running", "it is on its way")
local a, b, c = task:await()
assert(a == "one" and b == nil and c == "three", "await returns every value")
assert(started == 2, "spawn passes arguments on")
assert(task:await() == "one" and task:await() == "one", "await works again")
assert(task:status() == "completed", "it has completed")
assert(task.id == nil and task.branch == nil, "a function has no agent")
assert(tostring(task):match("^<task /spawn#1 completed>$"), tostring(task))
task:cancel()
assert(task:status() == "completed" and task:await() == "one", "too late to cancel")

local closed = false
local sleeper = agent.spawn(function()
  local guard <close> = setmetatable({}, {
    __close = function(_, e)
      closed = e.message
    end,
  })
  agent.sleep(60)
end)
agent.sleep(0)
sleeper:cancel()
local ok, e = pcall(sleeper.await, sleeper)
assert(not ok and e.kind == "cancelled", "awaiting it raises the cancellation")
assert(closed == "the task was cancelled by its handle", "its handlers have run")
assert(sleeper:status() == "cancelled", sleeper:status())
local value, why = sleeper:try_await()
assert(
  value == nil and why.kind == "cancelled",
  "somebody else's cancellation is data for the twin"
)

local failing = agent.spawn(error, "oops")
assert(failing:try_await() == nil and failing:status() == "failed", "a failure is a failure")

local inner
do
  local scoped <close> = agent.spawn(agent.sleep, 60)
  inner = scoped
end
assert(inner:try_await() == nil and inner:status() == "cancelled", "closing cancels")

local waiting = {}
local shared = agent.spawn(function()
  agent.sleep(0.01)
  return {}
end)
agent.map({ 1, 2, 3 }, function(i)
  waiting[i] = shared:await()
end)
assert(rawequal(waiting[1], waiting[3]), "all who wait get the same value")

local me
me = agent.spawn(function()
  agent.sleep(0)
  return pcall(me.await, me)
end)
local fine, circle = me:await()
assert(fine == false and circle.kind == "usage", "a task cannot wait for itself")
local results = agent.all { shared, me, "x" ~= "y" and shared }
assert(rawequal(results[1], waiting[1]), "tasks are items too")

-- A query is queued from the moment it is spawned until it has its place.
local asked = agent.spawn {
  prompt = "x",
  model = agent.model {
    reply = function()
      return "done"
    end,
  },
}
assert(asked:status() == "queued" and asked.id == nil, "it has no place yet")
assert(asked:await().id == asked.id and asked:status() == "completed", "then it has ended")
