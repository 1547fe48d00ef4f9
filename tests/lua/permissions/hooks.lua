-- repo
-- exit: 1
-- Hooks: what they are told, what they may say, and in which order they are asked.
local results, prompts
local function caller(calls, again)
  return agent.model {
    reply = function(request)
      prompts = request.messages
      if request.turn == 1 then
        return { tools = calls }
      end
      results = #request.results > 0 and request.results or results
      return again and again(request) or "done"
    end,
  }
end
local function bash(command)
  return { name = "Bash", input = { command = command } }
end

local log = {}
local function note(text)
  log[#log + 1] = text
end
local outcome = agent.query {
  prompt = "the task",
  worktree = true,
  disallowed_tools = { "Bash(rm *)" },
  model = caller {
    bash("echo one"),
    bash("echo two"),
    bash("rm x"),
    bash("exit 7"),
    { name = "Glob", input = { pattern = "*" } },
  },
  can_use_tool = function(_, input)
    note("asked " .. (input.command or input.pattern))
  end,
  hooks = {
    session_start = function(input)
      assert(input.hook_event_name == "SessionStart" and input.source == "startup", "its name")
      return { hook_specific_output = { additional_context = "from the start" } }
    end,
    user_prompt_submit = function(input)
      assert(input.prompt == "the task", "the prompt")
      return "from the prompt"
    end,
    PreToolUse = {
      {
        matcher = "Bash|Write",
        hooks = {
          function(input, tool_use_id, ctx)
            assert(
              input.hook_event_name == "PreToolUse" and input.tool_name == "Bash",
              "what it is"
            )
            assert(
              tool_use_id == input.tool_use_id and ctx.agent_id == input.agent_id,
              "whose it is"
            )
            assert(input.session_id:find("/" .. ctx.agent_id, 1, true), "which session it is")
            note("pre " .. input.tool_input.command)
            if input.tool_input.command == "echo one" then
              return false, "not one"
            elseif input.tool_input.command == "echo two" then
              return {
                hookSpecificOutput = {
                  updatedInput = { command = "echo 2" },
                  permissionDecision = "allow",
                },
              }
            end
            return { hook_specific_output = { permission_decision = "allow" } }
          end,
          function(input)
            note("then " .. input.tool_input.command)
          end,
        },
      },
    },
    post_tool_use = function(input)
      note("post " .. input.tool_name .. " " .. tostring(input.tool_response):gsub("\n", ""))
      return "look: it ran"
    end,
    post_tool_use_failure = function(input)
      return { decision = "block", reason = "failed with " .. input.error:match("%d+") }
    end,
    permission_denied = function(input)
      note("denied " .. input.tool_input.command)
    end,
    session_end = function(input)
      note("end " .. input.reason)
    end,
  },
}
local first = json.encode(prompts[1])
assert(first:find("from the start", 1, true) and first:find("from the prompt", 1, true), first)
assert(results[1].content == "denied: not one", results[1].content)
assert(results[2].content == "2\n\n\nlook: it ran", results[2].content)
assert(results[3].content:find("forbid commands like `rm …`", 1, true), "a hook lifts no rule")
assert(results[4].content:find("failed with 7", 1, true), results[4].content)
local expected = {
  "pre echo one",
  "denied echo one",
  "pre echo two",
  "then echo 2",
  "post Bash 2",
  "pre rm x",
  "then rm x",
  "denied rm x",
  "pre exit 7",
  "then exit 7",
  "asked *",
  "post Glob README.md",
  "end success",
}
for i, line in ipairs(expected) do
  assert((log[i] or ""):sub(1, #line) == line or i == 12, i .. ": " .. tostring(log[i]))
end
assert(#outcome.permission_denials == 2, "both are recorded")

-- A stop hook sends the agent back.
local stops = {}
local answers = 0
outcome = agent.query {
  prompt = "x",
  model = agent.model {
    reply = function(request)
      answers = answers + 1
      local last = request.messages[#request.messages]
      return "answer " .. answers .. ": " .. json.encode(last.content):sub(1, 200)
    end,
  },
  hooks = {
    stop = function(input)
      stops[#stops + 1] = input.stop_hook_active
      if #stops < 3 then
        return false, "once more " .. #stops
      end
    end,
  },
}
assert(answers == 3 and outcome.num_turns == 3, "twice")
assert(outcome.result:find("once more 2", 1, true), outcome.result)
assert(stops[1] == false and stops[2] == true, "it is told that it has been asked before")

-- At most eight times.
answers = 0
outcome = agent.query {
  prompt = "x",
  model = agent.model {
    reply = function()
      answers = answers + 1
      return "done"
    end,
  },
  hooks = {
    Stop = function()
      return { decision = "block", reason = "never" }
    end,
  },
}
assert(outcome.ok and answers == 9, answers .. " answers")

-- Who says not to go on ends the agent; so does an error, with its line.
local function ends(hooks)
  local _, e = agent.try_query {
    prompt = "x",
    worktree = true,
    model = caller { bash("echo x") },
    hooks = hooks,
  }
  return e
end
local e = ends {
  post_tool_use = function()
    return { continue = false, stopReason = "enough" }
  end,
}
assert(
  e.kind == "cancelled" and e.message:find("`post_tool_use` stopped the agent: enough", 1, true),
  e.message
)
e = ends {
  pre_tool_use = function()
    error("broken hook")
  end,
}
assert(e.kind == "tool" and e.message:find("broken hook", 1, true), tostring(e))
e = ends {
  pre_tool_use = function()
    return { permision_decision = "deny" }
  end,
}
assert(e.kind == "tool" and e.hint == "did you mean `permission_decision`?", tostring(e))
e = ends {
  user_prompt_submit = function()
    return { decision = "block", reason = "not that" }
  end,
}
assert(e.message:find("refused the prompt: not that", 1, true), e.message)

-- Mistakes are found before anything runs.
for _, case in ipairs {
  { { pre_tool_us = print }, "did you mean `pre_tool_use`?" },
  { { PermissionRequest = print }, "use `can_use_tool`" },
  { { stop = 1 }, nil },
  { { stop = { 1 } }, nil },
  {
    { PreToolUse = { { matcher = "a(b", hooks = { print } } } },
    "a name may have `*` in it, as in `mcp__docs__*`",
  },
  { { PreToolUse = { { matcher = "Bash" } } }, nil },
} do
  local ok, raised = pcall(agent.query, { prompt = "x", model = caller {}, hooks = case[1] })
  assert(not ok and raised.kind == "usage" and raised.hint == case[2], tostring(raised))
end
