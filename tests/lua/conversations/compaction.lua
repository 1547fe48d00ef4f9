-- repo
-- A conversation that no longer fits is summed up by the model itself, and goes on.
local WINDOW = 6000

-- Checks a conversation as every provider does; returns its size and texts.
local function checked(messages)
  local open, used, size, texts = {}, {}, 0, {}
  for index, message in ipairs(messages) do
    assert(message.role == (index % 2 == 1 and "user" or "assistant"), "roles alternate")
    assert(#message.content > 0, "no message is empty")
    local results = 0
    for _, block in ipairs(message.content) do
      if block.type == "tool_result" then
        assert(open[block.tool_use_id], "a result without its call")
        open[block.tool_use_id], results = nil, results + 1
        size = size + #block.content
      elseif block.type == "tool_use" then
        assert(not used[block.id], "an id is used twice: " .. block.id)
        used[block.id], open[block.id] = true, true
        size = size + #json.encode(block.input)
      else
        texts[#texts + 1] = block.text
        size = size + #block.text
      end
    end
    if message.role == "user" then
      assert(next(open) == nil, "a call without its result")
    end
  end
  assert(messages[#messages].role == "user", "it is the model's turn")
  return size, texts
end

local asked, summaries, steps, turns = 0, 0, 0, 0
local function step_of(texts, results)
  local last = 0
  for _, text in ipairs(texts) do
    for number in text:gmatch("step (%d+)") do
      last = math.max(last, tonumber(number))
    end
  end
  for _, result in ipairs(results) do
    last = math.max(last, tonumber(result.content:match("step (%d+)") or 0))
  end
  return last
end

local function worker()
  return agent.model {
    reply = function(request)
      asked = asked + 1
      local size, texts = checked(request.messages)
      assert(request.prompt == "do sixty steps", request.prompt)
      assert(texts[1] == "do sixty steps", "the task stays word for word")
      if size > WINDOW then
        return { text = "cut", stop_reason = "model_context_window_exceeded" }
      end
      turns = request.turn
      local done = step_of(texts, request.results)
      if texts[#texts]:find("Use these headings", 1, true) then
        summaries = summaries + 1
        return "## Task\nsixty steps\n## Left to do\nafter step " .. done
      end
      if done == 60 then
        return "all " .. done
      end
      assert(done == steps, ("goes on from %d, not from %d"):format(steps, done))
      steps = done + 1
      local command = ("echo step %d; printf '%%0300d' 0"):format(steps)
      return { tools = { { name = "Bash", input = { command = command } } } }
    end,
  }
end

local outcome = agent.query {
  prompt = "do sixty steps",
  worktree = true,
  max_turns = 200,
  model = worker(),
}
assert(outcome.result == "all 60", outcome.result)
assert(summaries >= 2, "it was summed up " .. summaries .. " times")
assert(outcome.num_turns == turns and outcome.num_turns < asked, "a summary is no turn")

-- It can be taken up as it stands.
local resumed = agent.query {
  prompt = "look back",
  resume = outcome,
  model = agent.model {
    reply = function(request)
      local size, texts = checked(request.messages)
      assert(size < WINDOW and request.prompt == "look back", request.prompt)
      assert(texts[1] == "do sixty steps" and texts[3]:find("^<summary>"), texts[3])
      return texts[#texts - 2]
    end,
  },
}
assert(resumed.result:find("goes on after a break", 1, true), resumed.result)

-- What cannot be made to fit is the model's error, soon, with a hint.
local before = 0
local _, e = agent.try_query {
  prompt = "too much",
  model = agent.model {
    reply = function()
      before = before + 1
      return { text = "no", stop_reason = "model_context_window_exceeded" }
    end,
  },
}
assert(e.kind == "model" and e.message:find("no longer fits", 1, true) and e.hint, tostring(e))
assert(before <= 4, before .. " questions")

-- One that sums up and still finds no room is believed in the end.
local rounds = 0
local _, full = agent.try_query {
  prompt = "too much",
  model = agent.model {
    reply = function(request)
      rounds = rounds + 1
      local last = request.messages[#request.messages].content
      if last[#last].text:find("Use these headings", 1, true) then
        return "short"
      end
      return { text = "no", stop_reason = "model_context_window_exceeded" }
    end,
  },
}
assert(full.kind == "model" and full.message:find("no longer fits", 1, true), tostring(full))
assert(rounds <= 6, rounds .. " questions")

-- The failures above were wanted; an assertion that fails is exit 1.
os.exit(0)
