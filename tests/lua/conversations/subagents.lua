-- repo
-- The tool `Agent`: only where it is listed; what it takes is its parent's.
local names, parents, subs = {}, {}, 0
local function offered(request)
  local list = {}
  for _, tool in ipairs(request.tools) do
    list[#list + 1] = tool.name
  end
  return " " .. table.concat(list, " ") .. " "
end
local usage = { input_tokens = 10, output_tokens = 1 }
local model = agent.model {
  reply = function(request)
    if request.prompt == "find it" then
      subs = subs + 1
      assert(not offered(request):find(" Agent "), "no agents of agents")
      assert(#request.messages == 2 * request.turn - 1, "a conversation of its own")
      if request.turn == 1 then
        return {
          tools = { { name = "Write", input = { file_path = "sub", content = "x" } } },
          usage = usage,
        }
      end
      return { text = "it is in sub", usage = usage }
    end
    parents[#parents + 1] = request
    names[#names + 1] = offered(request)
    if request.turn == 1 then
      local input = { description = "look", prompt = "find it" }
      return {
        tools = { { name = "Agent", input = input }, { name = "Agent", input = input } },
        usage = usage,
      }
    end
    for _, result in ipairs(request.results) do
      assert(result.content == "it is in sub" and not result.is_error, result.content)
    end
    return { text = "found", usage = usage }
  end,
}
local outcome = agent.query {
  prompt = "x",
  worktree = true,
  allowed_tools = { "Read", "Write", "Agent" },
  model = model,
}
assert(outcome.result == "found" and subs == 4, "two agents of two turns")
assert(outcome.num_turns == 6, "its turns are counted: " .. outcome.num_turns)
assert(outcome.usage.input_tokens == 60, "and its tokens: " .. outcome.usage.input_tokens)
assert(outcome.files_changed[1] == "sub", "it works in the same place")
assert(names[1]:find(" Agent "), names[1])
assert(#parents[2].messages == 3, "what it said is not its parent's")

-- The limit of turns binds them all.
local _, e = agent.try_query {
  prompt = "x",
  worktree = true,
  max_turns = 3,
  allowed_tools = { "Write", "Agent" },
  model = agent.model {
    reply = function(request)
      if request.prompt ~= "find it" then
        local input = { description = "look", prompt = "find it" }
        return { tools = { { name = "Agent", input = input }, { name = "Agent", input = input } } }
      end
      return { tools = { { name = "Write", input = { file_path = "a", content = "x" } } } }
    end,
  },
}
assert(e.kind == "budget" and e.outcome.num_turns == 3, tostring(e.outcome.num_turns))

-- Not listed, not offered.
agent.query {
  prompt = "x",
  worktree = true,
  model = agent.model {
    reply = function(request)
      assert(not offered(request):find(" Agent "), "only where it is listed")
      return "done"
    end,
  },
}

-- The failures above were wanted; an assertion that fails is exit 1.
os.exit(0)
