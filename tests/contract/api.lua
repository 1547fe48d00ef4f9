-- Walks the Lua side of the product contract, and prints a line `name<TAB>works` or `name<TAB>what is wrong` for each name in it. The tables are copied from the contract.
local function say(name, verdict)
  print(name .. "\t" .. verdict:gsub("%s+", " "))
end

-- Says whether `f` works.
local function try(name, f, ...)
  local ok, e = pcall(f, ...)
  if ok then
    say(name, "works")
  elseif name:find("^github%.") and e.kind ~= "usage" then
    -- It was taken, and there is no GitHub.
    say(name, "works")
  else
    say(name, tostring(e))
  end
end

local model = agent.model {
  name = "player",
  reply = function()
    return "done"
  end,
}
local tool = agent.tool { name = "t", description = "d", run = print }

-- A limit on money needs a price.
agent.config { prices = { player = { input = 1, output = 1 } } }

-- What is uncommitted would keep agents with `dirty = "fail"` from beginning.
sh.check("git add --all && git commit --quiet --allow-empty --message=walk")

-- Options of `agent.query`, each with values that the contract has.
local outcome = agent.query { prompt = "x", model = model, branch = "first", commit = false }
local kept = agent.query {
  prompt = "x",
  branch = "kept",
  model = agent.model {
    reply = function(request)
      local write = { name = "Write", input = { file_path = "kept", content = "x" } }
      return request.turn == 1 and { tools = { write } } or "done"
    end,
  },
}
local scorer = agent.model {
  reply = function()
    return '{ "score": 1 }'
  end,
}
-- An MCP server without tools: it only introduces itself.
local server = [[
while read -r line; do
  case $line in *'"initialize"'*)
    id=$(printf %s "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-06-18",' \
      '"capabilities":{},"serverInfo":{"name":"s","version":"1"}}}' ;;
  esac
done]]
local query = {
  { "label", "x" },
  { "model", model },
  { "effort", "high" },
  { "system_prompt", "x" },
  { "append_system_prompt", "x" },
  { "fallback_model", { model } },
  { "worktree", true },
  { "worktree", { sparse = { "src" } } },
  { "worktree", { include = true, setup = "true", submodules = true } },
  { "worktree", { virtual = false } },
  { "worktree", kept },
  { "branch", "fresh" },
  { "if_exists", "number", branch = "first" },
  { "if_exists", "continue", branch = "kept" },
  { "base", "HEAD" },
  { "dirty", "ignore" },
  { "dirty", "fail" },
  { "dirty", "copy" },
  { "scope", { "src/" } },
  { "read_only", true },
  { "allowed_tools", { "Read", "Bash(git diff *)", "Bash(npm run test:*)" }, worktree = true },
  { "allowed_tools", { "mcp__srv__*" } },
  { "disallowed_tools", { "Read" } },
  { "tools", { tool } },
  { "can_use_tool", print },
  { "on_event", function() end },
  { "max_turns", 2 },
  { "max_budget_usd", 1 },
  { "max_output_tokens", 100 },
  { "timeout", 60 },
  { "idle_timeout", 60 },
  { "schema", { score = "integer" }, model = scorer },
  { "verify", "true" },
  { "verify", function() end },
  { "verify_attempts", 3 },
  { "commit", true },
  { "commit", false },
  { "commit", "message" },
  { "repo", "." },
  { "cwd", "." },
  { "add_dirs", { "." } },
  { "env", { A = "b" } },
  { "hooks", { pre_tool_use = print } },
  { "mcp_servers", { s = { command = "sh", args = { "-c", server } } } },
  { "resume", kept.id },
  { "fork", kept.session_id },
}
for _, case in ipairs(query) do
  local name, value = case[1], case[2]
  local spec =
    { prompt = "x", model = case.model or model, worktree = case.worktree, branch = case.branch }
  local shown = type(value) == "table" and (next(value)) or value
  spec[name] = value
  try("agent.query " .. name .. " = " .. tostring(shown):gsub(":.*", ""), agent.query, spec)
  -- The Agent SDK's spelling is the same option.
  local camel = name:gsub("_(%l)", string.upper)
  if camel ~= name then
    spec[name], spec[camel] = nil, value
    try("agent.query " .. camel, agent.query, spec)
  end
end
for _, sdk in ipairs { "permission_mode", "output_format", "fork_session", "options" } do
  local _, e = pcall(agent.query, { prompt = "x", [sdk] = "x" })
  say(
    "agent.query " .. sdk,
    e.hint:find("^use ") and "works" or e.hint:find("^put ") and "works" or tostring(e)
  )
end

-- What is taken has its effect.
local asked
local effect = agent.query {
  prompt = "x",
  label = "l",
  branch = "effect",
  base = outcome.base_commit,
  commit = "the message",
  system_prompt = "alpha",
  append_system_prompt = "omega",
  allowed_tools = { "Read" },
  tools = { tool },
  model = agent.model {
    reply = function(request)
      asked = request
      return "done"
    end,
  },
}
local offered = {}
for i, each in ipairs(asked.tools) do
  offered[i] = each.name
end
for name, holds in pairs {
  label = effect.label == "l",
  branch = effect.branch == "effect",
  base = effect.base_commit == outcome.base_commit,
  system_prompt = asked.system:find("^alpha") ~= nil,
  append_system_prompt = asked.system:find("omega", 1, true) ~= nil,
  tools = table.concat(offered, " ") == "Read t",
} do
  say("effect of " .. name, holds and "works" or "has none: " .. table.concat(offered, " "))
end

-- A remote to fetch from and push to.
sh.check("git init -q --bare ../origin.git && git remote add origin ../origin.git")
sh.check("git push -q origin main")

-- Functions, called with what the contract shows.
local list, fn = { "a" }, function(item)
  return item
end
local items = {
  function()
    return 1
  end,
}
local calls = {
  { "agent.spawn", fn },
  { "agent.all", items },
  { "agent.all_settled", items },
  { "agent.race", items },
  { "agent.iter", items },
  { "agent.map", list, fn, { limit = 1 } },
  { "agent.map_settled", list, fn, { limit = 1 } },
  { "agent.pipeline", list, { fn }, { limit = 1 } },
  {
    "agent.integrate",
    { branches = { "first" }, branch = "i", into = "main", verify = "true", model = model },
  },
  {
    "agent.tool",
    { name = "t", description = "d", input = { a = "string?" }, run = fn, read_only = true },
  },
  { "agent.model", { name = "m", reply = fn } },
  { "agent.list" },
  { "agent.list", { all = true } },
  { "agent.get", outcome.id },
  {
    "agent.remove",
    agent.query { prompt = "x", model = model, branch = "gone" },
    { force = true },
  },
  { "agent.config" },
  { "agent.config", { worktree = { setup = "true", include = true } } },
  { "agent.text", "${a.b}", { a = { b = 1 } } },
  { "agent.args", { about = "x", { "--name", "string" } } },
  { "agent.once", "id", fn },
  { "agent.now" },
  { "agent.random" },
  { "agent.sleep", 0 },
  { "agent.timeout", 60, fn },
  { "agent.phase", "x" },
  { "git.diff" },
  { "git.diff", outcome },
  { "git.diff", "main", "first" },
  { "git.diff", { from = "main", to = "first", paths = { "x" }, repo = "." } },
  { "git.diff", { staged = true } },
  { "git.merge", outcome },
  { "git.merge", { branch = "first", into = "main", message = "m", repo = "." } },
  { "git.merge", { branch = "first", strategy = "merge" } },
  { "git.merge", { branch = "first", strategy = "squash" } },
  { "git.merge", { branch = "first", strategy = "ff" } },
  { "git.merge", { branch = "first", strategy = "rebase" } },
  { "git.merge", { branch = "first", verify = "true" } },
  { "git.merge", { branch = "first", verify = fn } },
  { "git.merge", { branch = "first", on_conflict = fn } },
  { "git.merge", { branch = "first", on_conflict = { prompt = "x", model = model } } },
  { "git.merge", { branches = { "first" }, all = true } },
  { "git.conflicts", { "main", "first" }, { repo = "." } },
  { "git.worktrees", { repo = "." } },
  { "git.branches", { repo = "." } },
  { "git.log", { repo = "." } },
  { "git.status", { repo = "." } },
  { "git.commit", { message = "m", allow_empty = true, repo = "." } },
  { "git.commit", { message = "m", paths = { "other.lua" }, amend = true } },
  { "git.show", "HEAD", "main.lua" },
  { "git.show", outcome, "main.lua", { repo = "." } },
  { "git.fetch", "origin" },
  { "git.fetch", "origin", "main", { prune = true, tags = true, timeout = 60 } },
  { "git.push", "origin", "main" },
  { "git.push", { remote = "origin", branch = outcome, set_upstream = true, dry_run = true } },
  { "git.head", { repo = "." } },
  { "git.root" },
  { "github.pulls", { state = "open", repo = "owner/name" } },
  { "github.pull", 1 },
  { "github.issues", {} },
  { "github.diff", 1 },
  { "github.comment", 1, "body" },
  { "github.review", 1, { body = "b", event = "COMMENT", comments = {} } },
  { "github.create_pull", { head = "h", base = "main", title = "t", body = "b" } },
  { "github.api", "GET", "/user", {} },
  { "sh.check", "true", { cwd = ".", env = {}, stdin = "", timeout = 60 } },
  { "sh.run", { cmd = "true", args = {} } },
  { "fs.write", "f", "x" },
  { "fs.read", "f" },
  { "fs.append", "f", "x" },
  { "fs.exists", "f" },
  { "fs.list" },
  { "fs.glob", "*" },
  { "fs.mkdir", "d" },
  { "fs.remove", "f" },
  { "json.encode", {} },
  { "json.decode", "{}" },
  { "json.array", {} },
  { "log.debug", "x" },
  { "log.info", "x" },
  { "log.warn", "x" },
  { "log.error", "x" },
}
for _, call in ipairs(calls) do
  local module, name = call[1]:match("(%w+)%.([%w_]+)")
  local f = _G[module][name]
  if f then
    try(call[1], f, table.unpack(call, 2))
  else
    say(call[1], "is nil")
  end
  -- What can fail has a twin.
  if not _G[module]["try_" .. name] and call[1] ~= "agent.spawn" then
    say("try_ of " .. call[1], "is nil")
  end
end
try("sh", sh, "true", { cwd = ".", env = {}, stdin = "", timeout = 60 })
try("json.null", json.encode, { json.null })
for _, name in ipairs { "total", "spent", "remaining" } do
  try("agent.budget." .. name, function()
    return agent.budget[name]
  end)
end

-- Methods and fields of live things.
local task = agent.spawn { prompt = "x", model = model, branch = "task" }
for _, name in ipairs { "status", "await", "try_await", "events", "send", "cancel" } do
  try("task:" .. name, function()
    return task[name](task, "text")
  end)
end
local worktree <close> = git.worktree {
  branch = "wt",
  if_exists = "number",
  base = "HEAD",
  dirty = "fail",
  sparse = { "src" },
  include = true,
  setup = "true",
  submodules = true,
  repo = ".",
}
for _, name in ipairs { "diff", "sh", "commit", "keep", "remove" } do
  try("worktree:" .. name, function()
    return worktree[name](worktree, "true")
  end)
end
for name, value in pairs {
  ["task.id"] = task.id,
  ["task.branch"] = task.branch,
  ["worktree.path"] = worktree.path,
  ["worktree.branch"] = worktree.branch,
} do
  say(name, type(value) == "string" and "works" or type(value))
end

-- Fields that may be read.
local function fields(kind, result, names)
  for name in names:gmatch("[%w_]+") do
    try(kind .. "." .. name, function()
      return result[name]
    end)
  end
end
fields(
  "outcome",
  outcome,
  "ok subtype result structured_output id session_id label branch worktree_path base_commit "
    .. "head_commit files_changed num_turns duration_ms duration_api_ms usage total_cost_usd stop_reason "
    .. "permission_denials worktreePath numTurns"
)
fields("settled", agent.all_settled(items)[1], "ok value error outcome")
fields("diff", git.diff(outcome), "patch files additions deletions")
fields("sh", sh("true"), "ok code stdout stderr")
fields("merge", git.merge(outcome), "status commit")
for name in
  ("input_tokens output_tokens cache_read_input_tokens cache_creation_input_tokens"):gmatch("%S+")
do
  say("usage." .. name, math.type(outcome.usage[name]) == "integer" and "works" or "is missing")
end

-- Globals and modules.
for name in ("agent git github sh fs json log"):gmatch("%w+") do
  say("require " .. name, require("agentlua." .. name) == _G[name] and "works" or "is another")
  local ok, e = pcall(load("_ENV[...] = 1"), name)
  say("assign " .. name, not ok and e.kind == "usage" and "works" or "was assigned")
end
