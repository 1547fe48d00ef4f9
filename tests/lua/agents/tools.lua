-- flags: --concurrency 1
-- Tools in Lua: results, failures, and a query of their own in their agent's only place.
local function model(reply)
  return agent.model { reply = reply }
end
local results
local player = model(function(request)
  if request.turn == 1 then
    local tools = {}
    for i, name in ipairs { "text", "table", "nothing", "refusing", "raising", "nested", "slow" } do
      tools[i] = { name = name, input = { n = i } }
    end
    return { tools = tools }
  end
  results = request.results
  return "done"
end)
local function tool(name, run)
  return agent.tool { name = name, description = "A tool.", input = { n = "integer" }, run = run }
end
local context
local outcome = agent.query {
  prompt = "play",
  label = "player",
  model = player,
  tools = {
    tool("text", function(input, ctx)
      context = ctx
      return "n is " .. input.n
    end),
    tool("table", function(input)
      return { n = input.n, list = json.array {} }
    end),
    tool("nothing", function() end),
    tool("refusing", function()
      return nil, "not today"
    end),
    tool("raising", function()
      error("out of order")
    end),
    tool("nested", function()
      return agent.query({
        prompt = "inner",
        model = model(function()
          return "from the inner agent"
        end),
      }).result
    end),
    tool("slow", function()
      agent.sleep(0.01)
      return agent.all({
        function()
          return "waited"
        end,
      })[1]
    end),
  },
}
assert(outcome.ok, "the agent has ended well")
local expected = {
  { "n is 1", false },
  { '{"list":[],"n":2}', false },
  { "tool `nothing` returned nothing", true },
  { "not today", true },
  { "out of order", true },
  { "from the inner agent", false },
  { "waited", false },
}
for i, pair in ipairs(expected) do
  assert(results[i].content == pair[1], i .. ": " .. results[i].content)
  assert(results[i].is_error == pair[2], i .. ": is_error")
end
assert(context.agent_id == outcome.id and context.label == "player", "ctx names the agent")
assert(context.turn == 1 and context.branch == nil, "and the turn")
