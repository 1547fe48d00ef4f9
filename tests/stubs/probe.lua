-- Asks Lua as scripts see it what there is: functions by module, options by class, fields of tables
-- that are no results. `tests/stubs.rs` compares the answer with `lua/types`.
local task, worktree = ...
local modules = {
  agent = agent,
  budget = agent.budget,
  fs = fs,
  git = git,
  github = github,
  json = json,
  log = log,
  sh = sh,
  task = task,
  worktree = worktree,
}

-- Whether it has to wait is known before its arguments are looked at.
local function waits(f)
  local _, e = pcall(table.sort, { 1, 2 }, function()
    f()
  end)
  return tostring(e):find("has to wait", 1, true) ~= nil
end

local functions, values = {}, json.array {}
for module, members in pairs(modules) do
  for name, member in pairs(members) do
    local full_name = module .. "." .. name
    if type(member) == "function" then
      functions[full_name] = { waits = waits(member) }
    else
      values[#values + 1] = full_name
    end
  end
end

-- What a case is given, and a repository of it: functions behind a metatable, and beside it.
for name, f in pairs(require("agentlua.patterns")) do
  functions["patterns." .. name] = { waits = waits(f) }
end
local test = require("agentlua.test")
for name, f in pairs(test) do
  functions["test." .. name] = { waits = waits(f) }
end
local run_options, shell_options
local function members_of(module, value)
  for _, members in ipairs { value, getmetatable(value) } do
    for name, member in pairs(members) do
      if type(member) == "function" and not name:find("^__") then
        functions[module .. "." .. name] = { waits = waits(member) }
      end
    end
  end
end

-- An unknown option is answered with those that there are.
local function options(f, ...)
  local args = table.pack(...)
  args[args.n + 1] = { zzz_zzz = 1 }
  local ok, e = pcall(f, table.unpack(args, 1, args.n + 1))
  assert(not ok and e.kind == "usage" and e.hint:find("^it takes"), tostring(e))
  local names = {}
  for name in e.hint:gmatch("`([%w_]+)`") do
    names[#names + 1] = name
  end
  return names
end

test.case("probe", function(t)
  local repo = t.repo {}
  members_of("t", t)
  members_of("repo", repo)
  run_options = options(t.run)
  shell_options = options(repo.sh, repo, "true")
end)

local taken = {
  ["t.run"] = run_options,
  ["repo:sh"] = shell_options,
  ["agent.all"] = options(agent.all, {}),
  ["agent.args"] = options(agent.args),
  ["agent.args: argument"] = options(function(argument)
    argument[1] = "x"
    agent.args { argument }
  end),
  ["agent.config"] = options(agent.config),
  ["agent.config: worktree"] = options(function(worktree)
    agent.config { worktree = worktree }
  end),
  ["agent.query: worktree"] = options(function(worktree)
    agent.query { prompt = "x", worktree = worktree }
  end),
  ["agent.integrate"] = options(agent.integrate),
  ["agent.query: hooks"] = options(function(hooks)
    agent.query { prompt = "x", hooks = hooks }
  end),
  ["agent.query: hooks: matcher"] = options(function(matcher)
    agent.query { prompt = "x", hooks = { stop = { matcher } } }
  end),
  ["agent.list"] = options(agent.list),
  ["agent.map"] = options(agent.map, {}, print),
  ["agent.model"] = options(agent.model),
  ["agent.pipeline"] = options(agent.pipeline, {}, { print }),
  ["agent.query"] = options(agent.query),
  ["agent.remove"] = options(agent.remove, "x"),
  ["agent.tool"] = options(agent.tool),
  ["fs.remove"] = options(fs.remove, "x"),
  ["git.branches"] = options(git.branches),
  ["git.commit"] = options(git.commit),
  ["git.conflicts"] = options(git.conflicts, {}),
  ["git.diff"] = options(git.diff),
  ["git.fetch"] = options(git.fetch, "origin"),
  ["git.head"] = options(git.head),
  ["git.log"] = options(git.log),
  ["git.merge"] = options(git.merge),
  ["git.push"] = options(git.push, "origin"),
  ["git.root"] = options(git.root),
  ["git.show"] = options(git.show, "HEAD"),
  ["git.status"] = options(git.status),
  ["git.worktree"] = options(git.worktree),
  ["git.worktrees"] = options(git.worktrees),
  ["github.comment"] = options(github.comment, 1, "x"),
  ["github.create_pull"] = options(github.create_pull),
  ["github.diff"] = options(github.diff, 1),
  ["github.issues"] = options(github.issues),
  ["github.pull"] = options(github.pull, 1),
  ["github.pulls"] = options(github.pulls),
  ["github.review"] = options(github.review, 1),
  ["github.review: comments"] = options(function(comment)
    github.review(1, { comments = { comment } })
  end),
  ["json.encode"] = options(json.encode, 1),
  ["sh"] = options(sh, "true"),
  ["sh.run"] = options(sh.run),
}

-- Tables that agentlua hands out and that are no results.
local seen = {}
local function see(class, record)
  local names = {}
  for name in pairs(record) do
    names[#names + 1] = name
  end
  seen[class] = names
end

local names = {}
local outcome = agent.query {
  prompt = "look",
  on_event = function(event)
    for name in pairs(event) do
      names[name] = true
    end
    if event.type == "assistant" then
      see("agent.Message", event.message)
    end
  end,
  allowed_tools = { "Bash(echo *)" },
  tools = {
    agent.tool {
      name = "note",
      description = "Notes something",
      run = function(_, ctx)
        see("agent.ToolContext", ctx)
        return "noted"
      end,
    },
  },
  model = agent.model {
    reply = function(request)
      if request.turn == 1 then
        return {
          tools = { { name = "note" }, { name = "Bash", input = { command = "rm -rf x" } } },
        }
      end
      see("agent.Request", request)
      see("agent.OfferedTool", request.tools[1])
      see("agent.ToolResult", request.results[1])
      return "done"
    end,
  },
}
-- Events are tables of many makes; the rest of a result's fields are the outcome's.
for name in pairs(outcome) do
  names[name] = nil
end
names.subtype = true
see("agent.Event", names)
see("agent.Usage", outcome.usage)
see("agent.Denial", outcome.permission_denials[1])
local _, e = pcall(agent.query, { promt = "x" })
see("agent.Error", e)

return json.encode { functions = functions, values = values, options = taken, seen = seen }
