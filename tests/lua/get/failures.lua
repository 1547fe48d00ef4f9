-- repo
-- exit: 1
-- What an agent failed with is raised by id too; who only looks at it is not failed by it.
local broken = agent.model {
  name = "broken",
  reply = function()
    error("out of ideas")
  end,
}
local _, first = agent.try_query { prompt = "x", model = broken, label = "hopeless" }
local handle = agent.get(first.outcome.id)
assert(handle:status() == "failed", "it has failed")
local value, e = handle:try_await()
assert(value == nil and e.kind == first.kind, "the error is of the same kind")
assert(e.message == first.message, "with the same message: " .. e.message)
assert(
  e.outcome.id == first.outcome.id and e.outcome.subtype == first.outcome.subtype,
  "and outcome"
)
local ok, raised = pcall(handle.await, handle)
assert(not ok and raised.message == e.message, "await raises it")
