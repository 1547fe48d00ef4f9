-- flags: --max-budget-usd 10
-- exit: 3
-- The run's limit on money: siblings wait for what others have set aside, and the sum stays below it.
agent.config { prices = { dear = { input = 0, output = 1000 } } }
assert(agent.budget.total == 10 and agent.budget:remaining() == 10)

local model = agent.model {
  name = "dear",
  reply = function()
    agent.sleep(0.01)
    return { text = "done", usage = { output_tokens = 1000 } }
  end,
}
local items = {}
for i = 1, 20 do
  items[i] = { prompt = "x", model = model }
end
-- A dollar each: the first has set all of it aside, and the others do not fail for that.
local done, spent = 0, 0
for _, one in ipairs(agent.all_settled(items)) do
  if one.ok then
    done = done + 1
  else
    assert(one.error.kind == "budget", tostring(one.error))
    assert(one.error.message:find("^the run has spent"), one.error.message)
    assert(one.error.hint:find("%-%-max%-budget%-usd"), one.error.hint)
  end
  spent = spent + one.outcome.total_cost_usd
end
assert(done == 9, "the tenth would need 1,024 tokens: " .. done)
assert(spent == 9 and agent.budget:spent() == 9 and agent.budget:remaining() == 1)

-- Agents that a callback asks for count too, and a model without a price is a mistake at its query.
local ok, e = pcall(agent.query, {
  prompt = "x",
  model = agent.model {
    reply = function()
      return "x"
    end,
  },
})
assert(not ok and e.kind == "usage" and e.message:find("price of `lua`"), tostring(e))

agent.config { max_budget_usd = 100 }
assert(agent.budget.total == 10, "what was typed wins")
agent.query { prompt = "x", model = model }
