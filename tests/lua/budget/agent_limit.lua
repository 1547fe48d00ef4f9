-- repo
-- exit: 7
-- An agent's limit on money: it binds before a request is sent, the work is kept, and a model without a
-- price is a mistake of the script.
agent.config { prices = { dear = { input = 0, output = 1000 } } }

local function answering(usage)
  return agent.model {
    name = "dear",
    reply = function(request)
      if request.turn == 1 then
        local write = { name = "Write", input = { file_path = "kept.txt", content = "kept" } }
        return { tools = { write }, usage = usage }
      end
      return { text = "done", usage = usage }
    end,
  }
end

-- 1,500 tokens are 1.5 USD; what is left is less than any useful reply.
local short = { prompt = "write", branch = "short", max_budget_usd = 2 }
short.model = answering { output_tokens = 1500 }
local outcome, e = agent.try_query(short)
assert(outcome == nil and e.kind == "budget", tostring(e))
assert(e.outcome.subtype == "error_max_budget_usd", e.outcome.subtype)
assert(e.outcome.num_turns == 2 and e.outcome.total_cost_usd == 1.5, tostring(e.outcome))
assert(e.message:find("the agent has spent %$1.50 of its budget of %$2.00"), e.message)
assert(e.hint:find("max_budget_usd"), e.hint)
assert(e.outcome.files_changed[1] == "kept.txt", "the work is kept")
assert(git.show("short", "kept.txt") == "kept", "on its branch")

local enough = agent.query {
  prompt = "write",
  branch = "enough",
  max_budget_usd = 5,
  model = answering { output_tokens = 1500 },
}
assert(enough.total_cost_usd == 3, tostring(enough.total_cost_usd))

-- The run has no limit, and knows what was spent.
assert(agent.budget.total == nil and agent.budget:remaining() == math.huge)
assert(agent.budget:spent() == 4.5, tostring(agent.budget:spent()))
local known = pcall(function()
  return agent.budget.left
end)
assert(not known, "`left` is no field")

-- Cached tokens have their own price: a tenth and five quarters of the input's unless it is said.
agent.config {
  prices = { dear = { input = 100, output = 0 }, own = { input = 1, output = 1, cache_read = 50 } },
}
local usage = { input_tokens = 1000, cache_read_input_tokens = 1000 }
usage.cache_creation_input_tokens = 1000
local cached = agent.query {
  prompt = "x",
  model = agent.model {
    name = "dear",
    reply = function()
      return { text = "x", usage = usage }
    end,
  },
}
assert(math.abs(cached.total_cost_usd - 0.235) < 1e-9, tostring(cached.total_cost_usd))
assert(agent.config().prices.own.cache_read == 50)

-- Without a price there is no cost, and no limit.
local nameless = agent.model {
  reply = function()
    return { text = "x", usage = { input_tokens = 1 } }
  end,
}
assert(agent.query({ prompt = "x", model = nameless }).total_cost_usd == nil)
local ok
ok, e = pcall(agent.query, { prompt = "x", model = nameless, max_budget_usd = 1 })
assert(not ok and e.kind == "usage" and e.at:find("agent_limit") == nil, tostring(e))
assert(
  e.message:find("needs the price of `lua`") and e.hint:find('prices = { %["lua"%]'),
  tostring(e)
)

for _, wrong in ipairs {
  { max_budget_usd = 0 },
  { max_budget_usd = -1 },
  { max_budget_usd = "1" },
  { fallback_model = {} },
  { fallback_model = { nameless, nameless, nameless, nameless } },
  { fallback_model = 1 },
} do
  wrong.prompt, wrong.model = "x", nameless
  ok, e = pcall(agent.query, wrong)
  assert(not ok and e.kind == "usage", tostring(e))
end
for _, prices in ipairs {
  { x = { input = 1 } },
  { x = { input = 1, output = -1 } },
  { x = { input = 1, output = 1, cached = 1 } },
  { x = 1 },
  "x",
  { "x" },
} do
  ok, e = pcall(agent.config, { prices = prices })
  assert(not ok and e.kind == "usage" and e.message:find("prices"), tostring(e))
  assert(not e.message:find("PriceSetting") and not e.message:find("at `.`", 1, true), e.message)
end

ok, e = pcall(function()
  agent.budget.total = 3
end)
assert(not ok and e.kind == "usage" and e.hint:find("max_budget_usd"), tostring(e))

-- What a request that was broken off has cost nobody knows either.
local _, late = agent.try_query {
  prompt = "x",
  timeout = 0.05,
  model = agent.model {
    reply = function()
      agent.sleep(60)
      return "x"
    end,
  },
}
assert(late.kind == "timeout" and late.outcome.total_cost_usd == nil, tostring(late))

-- Agents failed, which would be 1.
os.exit(7)
