-- The input of a Lua tool is checked before `run` sees it, and the model is told what does not fit.
local seen, results = {}, nil
local tool = agent.tool {
  name = "score",
  description = "Scores.",
  input = { name = "string", points = "integer", notes = { "string" } },
  run = function(input)
    seen[#seen + 1] = input
    return { content = { { type = "text", text = "ok" } }, is_error = input.points == 0 }
  end,
}
local good = { name = "a", points = 1, notes = json.array {} }
agent.query {
  prompt = "x",
  tools = { tool },
  model = agent.model {
    reply = function(request)
      if request.turn == 1 then
        return {
          tools = {
            { name = "score", input = good },
            { name = "score", input = { name = "a", points = "many", notes = { "x", 2 } } },
            { name = "score", input = { name = "a", points = 0, notes = json.array {} } },
          },
        }
      end
      results = request.results
      return "done"
    end,
  },
}
assert(#seen == 2 and seen[1].points == 1, "only what fits is run")
assert(results[1].content == "ok" and not results[1].is_error, results[1].content)
local told = results[2].content
assert(results[2].is_error and told:find("does not fit the schema of `score`", 1, true), told)
assert(told:find('`/points`: "many" is not of type "integer"', 1, true), told)
assert(told:find('`/notes/1`: 2 is not of type "string"', 1, true), told)
assert(results[3].content == "ok" and results[3].is_error, "an MCP-style failure is one")

local ok, e = pcall(agent.tool, {
  name = "broken",
  description = "x",
  input = { type = "object", properties = { a = { type = "strng" } } },
  run = function() end,
})
assert(not ok and e.kind == "usage", tostring(e))
assert(
  e.message:find("option `input` is not a JSON Schema: `/properties/a/type`", 1, true),
  e.message
)
assert(e.at:find("main.lua:%d+"), "at the script's line")
