-- repo
-- A query as `on_conflict`: an agent resolves the conflict in a worktree of the merge's own.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check([[
printf '1\n2\n3\n' > shared; git add shared; git commit -qm base
git checkout -q -b work; printf 'work\n2\n3\n' > shared; git commit -qam 'Say work'
git checkout -q main; printf 'main\n2\n3\n' > shared; git commit -qam 'Say main'
]])
local before = git_of("rev-parse main")
local function untouched(why)
  assert(git_of("rev-parse main") == before, why .. ": the target is where it was")
  assert(git_of("status --porcelain -uno") == "", why .. ": and its checkout as it was")
  assert(#git.worktrees() == 1, why .. ": no worktree is left")
  assert(git_of("branch --list 'agentlua/*'") == "", why .. ": and no branch")
end

-- Runs `command` in the first turn of each agent, and then `after` if there is a second call.
local asked = {}
local function model(...)
  local commands, number = { ... }, 0
  return agent.model {
    reply = function(request)
      asked[#asked + 1] = request
      if #(request.results or {}) > 0 then
        return "done"
      end
      number = number + 1
      return commands[number] or "nothing more to do"
    end,
  }
end
local function bash(command)
  return { tools = { { name = "Bash", input = { command = command } } } }
end

local merged, e = git.try_merge {
  branch = "work",
  on_conflict = {
    model = model(bash("git status --porcelain; cat shared"), "I cannot"),
    max_turns = 5,
  },
}
assert(merged == nil and e.kind == "git" and e.merge.status == "conflicted", tostring(e))
assert(e.message:find("conflict markers", 1, true), e.message)
assert(e.outcome.ok, "the agent took it for done")
assert(e.outcome.id:find("^agent%-"), "and its outcome is there")
untouched("markers")
local first = json.encode(asked[1].messages)
for _, wanted in ipairs {
  "`work`",
  "`main`",
  "Say work",
  "Say main",
  "`shared`",
  "<base>",
  "conflict marker",
  "explain_dropped",
} do
  assert(first:find(wanted, 1, true), wanted .. " is in the prompt: " .. first)
end
local seen = json.encode(asked[2].messages)
assert(seen:find("UU shared", 1, true), "git in there knows the sides: " .. seen)
assert(seen:find("<<<<<<< main", 1, true), "and the files have them")

-- A side that is dropped without a word is no resolution.
merged, e = git.try_merge {
  branch = "work",
  on_conflict = { model = model(bash("printf 'main\\n2\\n3\\n' > shared"), "it is good") },
}
assert(merged == nil and e.merge.status == "conflicted", tostring(e))
assert(
  e.merge.dropped[1].path == "shared" and e.merge.dropped[1].line == "work",
  json.encode(e.merge)
)
assert(e.merge.dropped[1].side == "theirs" and e.merge.dropped_total == 1)
untouched("dropped")

-- An agent that fails leaves the merge conflicted.
merged, e = git.try_merge {
  branch = "work",
  on_conflict = {
    max_turns = 1,
    model = model(bash("true")),
  },
}
assert(merged == nil and e.kind == "git" and e.merge.status == "conflicted", tostring(e))
assert(e.outcome.subtype == "error_max_turns", e.outcome.subtype)
untouched("failed")

-- With a reason it is one; and one that forgot a side is told so and asked again.
merged = git.merge {
  branch = "work",
  message = "by an agent",
  verify = "grep -q work shared",
  on_conflict = {
    prompt = "Prefer short words.",
    model = model(bash("printf 'work\\n2\\n3\\n' > shared"), {
      tools = {
        { name = "explain_dropped", input = { path = "shared", reason = "work says more" } },
      },
    }),
  },
}
assert(merged.status == "merged", "resolved")
assert(merged.resolved[1].path == "shared" and merged.resolved[1].how == "agent")
assert(merged.resolved[1].by:find("^agent%-"), "by whom")
assert(merged.dropped[1].line == "main" and merged.dropped[1].reason == "work says more")
assert(
  json.encode(asked[#asked].messages):find("Prefer short words.", 1, true),
  "the script's words"
)
assert(
  git_of("log -1 --format=%s") == "by an agent"
    and git_of("rev-parse main^2") == git_of("rev-parse work")
)
assert(fs.read("shared") == "work\n2\n3\n", "the checkout follows")
assert(#git.worktrees() == 1 and git_of("branch --list 'agentlua/*'") == "", "nothing is left")

for options, message in pairs {
  [{ branch = true }] = "`branch` is not for agents",
  [{ resume = "x" }] = "`resume` is not for agents",
  [{ prompts = "x" }] = "has no option `prompts`",
  [{ maxTurns = 0 }] = "`max_turns` must be",
} do
  options.model = options.model or model()
  local ok, wrong = pcall(git.merge, { branch = "work", on_conflict = options })
  assert(not ok and wrong.kind == "usage" and wrong.message:find(message, 1, true), tostring(wrong))
  assert(wrong.message:find("^`git.merge`: option `on_conflict`: "), wrong.message)
end
-- The agent that failed is why this would not end well by itself.
os.exit(0)
