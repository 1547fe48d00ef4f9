-- repo
-- exit: 1
-- `resume` goes on in an agent's conversation, worktree and branch; a failure that it makes good is none.
local seen
local function player(steps)
  return agent.model {
    name = "player",
    reply = function(request)
      seen = request
      local step = steps[request.turn]
      if type(step) == "function" then
        step = step(request)
      end
      return step or "done"
    end,
  }
end
local function write(name)
  return { tools = { { name = "Write", input = { file_path = name, content = name } } } }
end

-- It runs out of turns, and goes on with more.
local nothing, e = agent.try_query {
  prompt = "first task",
  branch = "work",
  max_turns = 2,
  model = player { write("one"), write("two") },
}
assert(not nothing and e.kind == "budget", tostring(e))
local failed = e.outcome
local resumed = agent.query {
  prompt = "second task",
  resume = failed,
  model = player {
    function(request)
      assert(request.prompt == "second task", request.prompt)
      return { tools = { { name = "Read", input = { file_path = "one" } } } }
    end,
    write("three"),
  },
}
assert(resumed.branch == "work" and resumed.worktree_path == failed.worktree_path, "the same place")
assert(resumed.session_id == failed.session_id, "the same conversation")
assert(resumed.id ~= failed.id, "an agent of its own")
assert(fs.exists(resumed.worktree_path .. "/one"), "with what was there")
assert(table.concat(resumed.files_changed, " ") == "three", "what it added")

-- The model saw the whole of it, in order, each call with its result.
local texts, calls = {}, {}
for index, message in ipairs(seen.messages) do
  assert(message.role == (index % 2 == 1 and "user" or "assistant"), "roles alternate")
  for _, block in ipairs(message.content) do
    if block.type == "text" then
      texts[#texts + 1] = block.text
    elseif block.type == "tool_use" then
      assert(not calls[block.id], "an id is used once: " .. block.id)
      calls[block.id] = "open"
    else
      assert(calls[block.tool_use_id] == "open", "a result has its call")
      calls[block.tool_use_id] = "answered"
    end
  end
end
assert(texts[1] == "first task", texts[1])
local said = table.concat(texts, "\n")
assert(said:find("second task", 1, true) and said:find("read them again", 1, true), said)
local count = 0
for _, state in pairs(calls) do
  assert(state == "answered", "every call is answered")
  count = count + 1
end
assert(count == 4, tostring(count))

-- By the start of an id, by session, by task; always from the end of the conversation.
local third = agent.query { prompt = "third", resume = failed.id:sub(1, -2), model = player {} }
assert(third.session_id == failed.session_id, "of one conversation")
assert(#seen.messages == 11 and seen.prompt == "third", "after what came last: " .. #seen.messages)
local task = agent.spawn { prompt = "fourth", resume = failed.session_id, model = player {} }
assert(task:await().session_id == failed.session_id, "by session")
local fifth = agent.query { prompt = "fifth", resume = task, model = player {} }
assert(fifth.branch == "work", "by task")

-- Where the branch has moved since, the agent is told.
sh.check("git -C " .. fifth.worktree_path .. " commit -q --allow-empty -m theirs")
agent.query { prompt = "sixth", resume = fifth, model = player {} }
local last = seen.messages[#seen.messages].content
assert(last[1].text:find("git diff", 1, true), last[1].text)

-- One that ended before it could ask leaves the conversation as it was.
local length = #seen.messages
local _, unserved = agent.try_query {
  prompt = "unserved",
  resume = failed,
  mcp_servers = { s = { command = "/no/such/server" } },
  model = player {},
}
assert(unserved.outcome.num_turns == 0, tostring(unserved))
agent.query { prompt = "after that", resume = failed, model = player {} }
assert(#seen.messages == length + 2, #seen.messages .. " after " .. length)

-- The worktree may be gone, and the branch of one that changed nothing too.
sh.check("git worktree remove --force " .. fifth.worktree_path)
local again = agent.query { prompt = "seventh", resume = fifth, model = player { write("four") } }
assert(again.branch == "work" and fs.exists(again.worktree_path .. "/one"), "made again")
local idle = agent.query { prompt = "look", branch = "idle", model = player {} }
assert(not idle.worktree_path, "nothing changed: it went")
sh.check("git branch -D idle")
local busy = agent.query { prompt = "now write", resume = idle, model = player { write("five") } }
assert(busy.branch == "idle" and busy.files_changed[1] == "five", "on a branch of that name")

-- Without a worktree it is the conversation alone, and it still only reads.
local talk = agent.query { prompt = "talk", model = player {} }
local more = agent.query { prompt = "more", resume = talk, model = player {} }
assert(not more.branch and more.session_id == talk.session_id, "no worktree")
assert(#seen.messages == 3 and #seen.tools == 3, "Read, Glob, Grep")

-- Mistakes.
local function refused(spec, text)
  spec.prompt, spec.model = "x", player {}
  local ok, wrong = pcall(agent.query, spec)
  assert(not ok and wrong.kind == "usage" and wrong.message:find(text, 1, true), tostring(wrong))
end
refused({ resume = "agent-ffffffffff" }, "no agent of this repository")
refused({ resume = "" }, "is empty")
refused({ resume = 1 }, "must be an id")
refused({ resume = failed, fork = failed }, "one or the other")
for _, name in ipairs { "branch", "base", "dirty", "worktree" } do
  refused({ resume = failed, [name] = name == "worktree" or "x" }, "cannot stand beside")
end
refused({ resume = talk, allowed_tools = { "Write" } }, "which writes")
refused({ resume = talk, scope = { "src" } }, "needs a worktree")
local slow = agent.spawn {
  prompt = "slow",
  worktree = true,
  model = agent.model {
    reply = function()
      agent.sleep(60)
    end,
  },
}
while slow.branch == nil do
  agent.sleep(0.01)
end
refused({ resume = slow }, "has not ended")
refused({ resume = slow.id }, "has not ended")
slow:cancel()
