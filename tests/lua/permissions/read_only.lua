-- repo
-- An agent that may only look: no writing tools, commands that read, and nothing that stays.
local offered, results = {}, {}
local function looker(calls)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        offered = {}
        for _, tool in ipairs(request.tools) do
          offered[tool.name] = true
        end
        return { tools = calls }
      end
      results = request.results
      return "seen"
    end,
  }
end
local function bash(command)
  return { name = "Bash", input = { command = command } }
end
local calls = {
  bash("ls | head -3; git status --short && git log --oneline"),
  bash("touch x"),
  bash("git commit --allow-empty -m x"),
  bash("ls > x"),
  { name = "Write", input = { file_path = "x", content = "x" } },
}
local function check(outcome)
  assert(offered.Read and offered.Grep and offered.Bash, "it may look")
  assert(not offered.Write and not offered.Edit, "and not write")
  assert(not results[1].is_error, results[1].content)
  for i = 2, 5 do
    assert(results[i].content:find("^denied: "), i .. ": " .. results[i].content)
  end
  assert(#outcome.permission_denials == 4, "it is recorded")
end

-- In the checkout.
check(agent.query { prompt = "x", read_only = true, model = looker(calls) })
assert(#git.status().files == 0, "nothing is changed")

-- In a worktree, in which a tool of the script leaves something.
local note = agent.tool {
  name = "note",
  description = "Writes a note.",
  run = function(_, ctx)
    fs.write(ctx.cwd .. "/junk.txt", "x")
    return "noted"
  end,
}
local all = { table.unpack(calls) }
all[#all + 1] = { name = "note" }
local outcome = agent.query {
  prompt = "x",
  read_only = true,
  branch = "look",
  tools = { note },
  model = looker(all),
}
check(outcome)
assert(results[6].content == "noted", results[6].content)
assert(outcome.worktree_path == nil and #git.worktrees() == 1, "its worktree is gone")
assert(
  outcome.head_commit == outcome.base_commit and #outcome.files_changed == 0,
  "nothing is kept"
)
assert(git.diff(outcome).patch == "", "its diff is empty")
local refs = sh.check("git for-each-ref --format='%(refname)' refs/agentlua/removed").stdout
local kept = "refs/agentlua/removed/" .. outcome.id .. "/files"
assert(refs:find(kept, 1, true), "what the tool wrote is not lost: " .. refs)

-- A worktree that somebody lends stays.
do
  local lent <close> = git.worktree { branch = "lent" }
  local there =
    agent.query { prompt = "x", read_only = true, worktree = lent, model = looker(calls) }
  check(there)
  assert(fs.exists(lent.path), "it is there")
end

local _, e = agent.try_query { prompt = "x", model = looker {} }
assert(e == nil, "reading is the default without a worktree")
assert(not offered.Bash, "and commands are not part of it")
local ok, raised = pcall(
  agent.query,
  { prompt = "x", read_only = true, allowed_tools = { "Edit" }, model = looker {} }
)
assert(not ok and raised.kind == "usage", "a contradiction is a usage error")
assert(
  raised.message:find("lists `Edit`, which writes, beside `read_only`", 1, true),
  raised.message
)
