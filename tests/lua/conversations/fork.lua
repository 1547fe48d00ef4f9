-- repo
-- `fork` copies a conversation and starts a new branch from where the work ended.
local seen
local function player(steps)
  return agent.model {
    reply = function(request)
      seen = request
      return steps[request.turn] or "done"
    end,
  }
end
local function write(name, content)
  local input = { file_path = name, content = content or name }
  return { tools = { { name = "Write", input = input } } }
end
local first = agent.query { prompt = "one", branch = "one", model = player { write("one") } }
local forks = agent.all {
  left = { prompt = "left", fork = first, branch = "left", model = player { write("left") } },
  right = { prompt = "right", fork = first.id, model = player { write("right") } },
}
for name, fork in pairs(forks) do
  assert(fork.base_commit == first.head_commit, "it starts from the work")
  assert(fork.session_id ~= first.session_id and fork.id ~= first.id, "a conversation of its own")
  assert(fork.worktree_path ~= first.worktree_path, "in a place of its own")
  assert(table.concat(fork.files_changed, " ") == name, "it brings what it did")
end
assert(forks.left.branch == "left" and forks.right.branch == "agentlua/" .. forks.right.id, "named")
assert(seen.messages[1].content[1].text == "one", "the conversation is there")

-- What was forked goes on as it was; a fork is forked and resumed in its turn.
agent.query { prompt = "two", resume = first, model = player {} }
assert(#seen.messages == 5, tostring(#seen.messages))
local deeper =
  agent.query { prompt = "deeper", fork = forks.left, model = player { write("deep") } }
assert(#seen.messages == 11 and deeper.base_commit == forks.left.head_commit, "from the fork")
local back = agent.query { prompt = "back", resume = deeper, model = player {} }
assert(back.session_id == deeper.session_id and #seen.messages == 13, tostring(#seen.messages))

for _, name in ipairs { "base", "dirty", "worktree" } do
  local spec = { prompt = "x", fork = first, model = player {} }
  spec[name] = name == "worktree" or "x"
  local ok, e = pcall(agent.query, spec)
  assert(not ok and e.kind == "usage" and e.message:find("beside `fork`", 1, true), tostring(e))
end
local ok, e = pcall(agent.query, { prompt = "x", fork = first, branch = "one", model = player {} })
assert(not ok and e.kind == "git" and e.message:find("one", 1, true), tostring(e))

-- The failures above were wanted; an assertion that fails is exit 1.
os.exit(0)
