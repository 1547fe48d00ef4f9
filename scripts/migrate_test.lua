-- agentlua test scripts
local test = require("agentlua.test")

-- Appends a line to the module's file that tells how many modules were migrated when it began; `src/bad`
-- is never right, and `src/rude` writes where it must not.
local model = [[
return agent.model {
  name = "player",
  reply = function(request)
    local module = request.prompt:match "Migrate (%S+) to new%.\nKeep its public interface%."
    if request.turn > 1 then
      return "done"
    end
    local command = "echo $(cat src/*/code | grep -c new) new >> " .. module .. "/code"
    if module == "src/bad" then
      command = "echo broken > src/bad/code"
    end
    return { tools = { { name = "Bash", input = { command = command, description = "Migrates" } } } }
  end,
}
]]

---@type test.Repo
local repo

local function migrate(t, ...)
  local options = { "migrate.lua", "--task", "Migrate {module} to new.", ... }
  options.repo, options.model = repo, model
  return t.run(options)
end

test.setup(function(t)
  repo = t.repo {
    ["src/auth/code"] = "old\n",
    ["src/bad/code"] = "old\n",
    ["src/search/code"] = "old\n",
  }
end)

test.case("modules are migrated side by side, and land as they finish", function(t)
  local run = migrate(t, "--verify", "grep -q new {module}/code", "src/auth", "src/search")
  t.equal(run.code, 0, run.stderr)
  t.match(run.stdout, "src/auth\t%a")
  t.match(run.stdout, "src/search\t%a")
  t.equal(repo:check("git show main:src/auth/code").stdout, "old\n0 new\n")
  t.equal(repo:check("git show main:src/search/code").stdout, "old\n0 new\n", "none saw the other")
  t.equal(repo:check("git status --porcelain").stdout, "", "the checkout shows what landed")
end)

test.case("what fails does not land, and does not hold up the rest", function(t)
  local run = migrate(t, "--verify", "grep -q new {module}/code", "src/bad", "src/auth")
  t.equal(run.code, 1)
  t.match(run.stdout, "src/bad\t.*verif")
  t.match(run.stdout, "src/auth\tfast_forward\n")
  t.equal(repo:check("git show main:src/bad/code").stdout, "old\n", "main is as it was")
  t.equal(repo:check("git show migrate/bad:src/bad/code").stdout, "broken\n", "its work is kept")
end)

test.case("with --sequential each step starts from what the last one landed", function(t)
  local run = migrate(t, "--sequential", "src/search", "src/auth")
  t.equal(run.code, 0, run.stderr)
  t.equal(run.stdout, "src/search\tfast_forward\nsrc/auth\tfast_forward\n")
  t.equal(repo:check("git show main:src/auth/code").stdout, "old\n1 new\n", "it saw the first")
end)

test.case("with --sequential a step that fails is the last one", function(t)
  local run = migrate(
    t,
    "--sequential",
    "--land-verify",
    "! grep -q broken src/*/code",
    "src/bad",
    "src/auth"
  )
  t.equal(run.code, 1)
  t.match(run.stdout, "^src/bad\t[^\n]+\n$")
  t.equal(
    repo:check("git log --format=%s main").stdout:gsub("[^\n]+\n", "x"),
    "x",
    "main is as it was"
  )
end)

test.case("a task is needed", function(t)
  local run = t.run { "migrate.lua", "src/auth", repo = repo, model = model }
  t.equal(run.code, 2)
  t.contains(run.stderr, "needs `--task`")
end)
