-- repo
-- exit: 1
-- A branch that is there: refused with who made it, numbered, or gone on in.
local function writer(name)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = { { name = "Write", input = { file_path = name, content = name } } } }
      end
      return "done"
    end,
  }
end
local first = agent.query { prompt = "x", branch = "work", model = writer("one") }
local ok, e = pcall(agent.query, { prompt = "x", branch = "work", model = writer("two") })
assert(not ok and e.kind == "git" and e.outcome.subtype == "error_worktree", "it is refused")
assert(e.message:find(first.id, 1, true), "it names who made it: " .. e.message)
assert(e.hint:find('if_exists = "continue"', 1, true), e.hint)
assert(e.outcome.num_turns == 0, "nothing was asked")

sh.check("git branch mine")
local _, mine = agent.try_query { prompt = "x", branch = "mine", model = writer("two") }
assert(mine.message:find("it is yours", 1, true), mine.message)

local second = agent.query {
  prompt = "x",
  branch = "work",
  if_exists = "number",
  model = writer("two"),
}
assert(second.branch == "work-2", second.branch)
assert(second.base_commit == first.base_commit, "it starts from HEAD")

local third = agent.query {
  prompt = "x",
  branch = "work",
  if_exists = "continue",
  model = writer("three"),
}
assert(third.branch == "work" and third.worktree_path == first.worktree_path, "the same place")
assert(third.base_commit == first.head_commit, "from its head")
assert(#third.files_changed == 1 and third.files_changed[1] == "three", "only what is new")
assert(git.log({ rev = "work" })[2].id == first.head_commit, "on top of it")

-- A branch of the user's is gone on in, and stays when nothing comes of it.
local idle = agent.model {
  reply = function()
    return "nothing to do"
  end,
}
local fourth = agent.query { prompt = "x", branch = "mine", if_exists = "continue", model = idle }
assert(fourth.branch == "mine" and not fs.exists(fourth.worktree_path), "its worktree is gone")
local main = agent.try_query { prompt = "x", branch = "main", if_exists = "continue", model = idle }
assert(main == nil, "what is checked out is the user's")

for options, word in pairs {
  [{ branch = "work", if_exists = "continue", base = "HEAD" }] = "base",
  [{ branch = "work", if_exists = "continue", dirty = "copy" }] = "dirty",
  [{ if_exists = "number" }] = "branch",
  [{ branch = "work", if_exists = "maybe" }] = "if_exists",
} do
  options.prompt, options.model = "x", idle
  local fine, wrong = pcall(agent.query, options)
  assert(not fine and wrong.kind == "usage", "it is a usage error")
  assert(wrong.message:find(word, 1, true), wrong.message)
end
