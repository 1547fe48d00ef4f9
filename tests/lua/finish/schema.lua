-- The final answer fits the schema, or goes back to the agent with the reasons.
local replies
local asked
local model = agent.model {
  reply = function(request)
    asked = request
    return replies[request.turn]
  end,
}

local function give(input)
  return { tools = { { name = "StructuredOutput", input = input } } }
end

local function query(schema, list)
  replies = list
  return agent.query { prompt = "score it", model = model, schema = schema }
end

local score = { score = "integer", note = "string?" }

-- Violated twice, then met: in the same conversation.
local outcome = query(score, {
  give { score = "high" },
  give { score = 1, extra = true },
  give { score = 7 },
})
assert(outcome.structured_output.score == 7, "the value that fits")
assert(outcome.num_turns == 3, "tries are turns")
local said = asked.results[1]
assert(said.is_error and said.content:find("extra", 1, true), said.content)
assert(asked.tools[#asked.tools].name == "StructuredOutput", "it is offered last")
assert(asked.tools[#asked.tools].input_schema.required[1] == "score")
local first = asked.messages[1].content
assert(first[#first].text:find("call StructuredOutput once", 1, true), "the agent is told")

-- A text beside it stays the result; one without it is asked for it.
outcome = query(score, { "It is fine.", give { score = 2 } })
assert(outcome.result == "It is fine." and outcome.structured_output.score == 2)
local last = asked.messages[#asked.messages].content
assert(last[1].text:find("still to be given", 1, true), last[1].text)

-- JSON as the final text is taken as well, bare or in a fence.
assert(query(score, { '{"score":3}' }).structured_output.score == 3)
outcome = query(score, { 'Here:\n```json\n{"score":4,"note":null}\n```' })
assert(outcome.structured_output.score == 4 and outcome.structured_output.note == nil)
outcome = query(score, { '{"score":"3"}', '{"score":3}' })
assert(outcome.structured_output.score == 3 and outcome.num_turns == 2)

-- Violated for ever: the last value is kept.
replies = {}
for number = 1, 9 do
  replies[number] = give { score = tostring(number) }
end
local none, e = agent.try_query { prompt = "score it", model = model, schema = score }
assert(none == nil and e.kind == "model", tostring(e))
assert(e.outcome.subtype == "error_structured_output" and e.outcome.num_turns == 5)
assert(e.outcome.structured_output.score == "5", "the last one")
assert(e.message:find('`/score`: "5" is not of type "integer"', 1, true), e.message)
assert(#e.violations == 1, "they are data too")

-- Where there was none, nobody is sent to look at it.
none, e = agent.try_query {
  prompt = "x",
  schema = score,
  model = agent.model {
    reply = function()
      return "no object"
    end,
  },
}
assert(none == nil and e.outcome.subtype == "error_structured_output", tostring(e))
assert(e.outcome.structured_output == nil and e.hint == nil, tostring(e.hint))

-- Schemas of other values than objects are wrapped for the model.
outcome = query({ { file = "string" } }, { give { value = { { file = "a" } } } })
assert(outcome.structured_output[1].file == "a")
assert(asked.tools[#asked.tools].input_schema.properties.value.type == "array")
assert(
  query({ type = "string", minLength = 2 }, { give { value = "ab" } }).structured_output == "ab"
)
assert(query({ "string" }, { '["x"]' }).structured_output[1] == "x")

-- Calls beside the answer run; one that fails is seen before the answer counts.
outcome = query(score, {
  {
    tools = {
      { name = "StructuredOutput", input = { score = 1 } },
      { name = "Read", input = { file_path = "nowhere" } },
    },
  },
  give { score = 5 },
})
assert(outcome.num_turns == 2 and outcome.structured_output.score == 5)
outcome = query(score, {
  {
    tools = {
      { name = "Read", input = { file_path = "main.lua" } },
      { name = "StructuredOutput", input = { score = 6 } },
    },
  },
})
assert(outcome.num_turns == 1 and outcome.structured_output.score == 6)

-- It needs no permission, and max_turns binds.
replies = { give { score = 8 } }
outcome = agent.query { prompt = "x", model = model, schema = score, allowed_tools = { "Read" } }
assert(outcome.structured_output.score == 8)
replies = { give { score = "no" } }
none, e = agent.try_query { prompt = "x", model = model, schema = score, max_turns = 1 }
assert(none == nil and e.outcome.subtype == "error_max_turns", tostring(e))
assert(e.outcome.structured_output.score == "no")

-- A mistake in it is one of the script, before anything starts.
for _, bad in ipairs {
  {
    { type = "object", properties = { a = { type = "strng" } } },
    "`agent.query`: option `schema` is none: `/properties/a/type`",
  },
  { { a = "strng" }, "`agent.query`: option `schema.a`: `strng` is no type" },
  { "string", "must be a table" },
  { { type = "string", pattern = "(" }, "option `schema` is none" },
} do
  local ok, why = pcall(agent.query, { prompt = "x", model = model, schema = bad[1] })
  assert(not ok and why.kind == "usage", tostring(why))
  assert(why.message:find(bad[2], 1, true), why.message)
  assert(why.at:find("main.lua:", 1, true), why.at)
end
local tool = agent.tool { name = "StructuredOutput", description = "x", run = print }
local ok, why =
  pcall(agent.query, { prompt = "x", model = model, schema = score, tools = { tool } })
assert(not ok and why.kind == "usage" and why.message:find("takes the answer", 1, true))
os.exit(0)
