-- exit: 1
-- What is caught is counted all the same.
local outcome, e = agent.try_query("hi")
assert(outcome == nil and e.kind == "model", "no key is set")
