-- flags: --concurrency 1
-- Callbacks that run side by side share the one place of their agent: who they ask works one at a time.
local working, most = 0, 0
local helper = agent.model {
  reply = function()
    working = working + 1
    most = math.max(most, working)
    agent.sleep(0.05)
    working = working - 1
    return "helped"
  end,
}
local help = agent.tool {
  name = "help",
  description = "Helps.",
  read_only = true,
  run = function()
    return agent.query({ prompt = "help", model = helper }).result
  end,
}
local calls = {}
for i = 1, 5 do
  calls[i] = { name = "help", input = {} }
end
local outcome = agent.query {
  prompt = "lead",
  tools = { help },
  model = agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = calls }
      end
      return #request.results .. request.results[5].content
    end,
  },
}
assert(outcome.result == "5helped", outcome.result)
assert(most == 1, most)
