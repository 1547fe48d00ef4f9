-- repo
-- exit: 1
-- A scope: the tools refuse, the model is told, and what commands change elsewhere is not committed.
local told, results
local function agent_that(calls)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        told = json.encode(request.messages)
        return { tools = calls }
      end
      results = request.results
      return "done"
    end,
  }
end
local function write(path)
  return { name = "Write", input = { file_path = path, content = "x" } }
end
local kept = agent.query {
  prompt = "x",
  scope = { "src/auth/", "*.md" },
  model = agent_that {
    write("src/auth/deep/a"),
    write("note.md"),
    write("src/other"),
    write("src/auth/../b"),
    { name = "Bash", input = { command = "ln -s ../.. src/auth/up" } },
    write("src/auth/up/escaped"),
  },
}
assert(told:find("src/auth/", 1, true) and told:find("you may write", 1, true), told)
local refused = {}
for i, result in ipairs(results) do
  refused[i] = tostring(result.is_error)
end
assert(table.concat(refused, " ") == "false false true true false true", table.concat(refused, " "))
assert(results[3].content:find("outside the scope", 1, true), results[3].content)
assert(table.concat(kept.files_changed, " ") == "note.md src/auth/deep/a src/auth/up", "inside")

local _, e = agent.try_query {
  prompt = "x",
  branch = "out",
  scope = { "src/" },
  model = agent_that {
    write("src/in"),
    {
      name = "Bash",
      input = { command = "echo 1 >> main.lua; echo 2 > stray; git commit -qam mine" },
    },
  },
}
assert(e.kind == "git" and e.outcome.subtype == "error_scope", tostring(e))
assert(table.concat(e.paths, " ") == "main.lua stray", json.encode(e.paths))
assert(table.concat(e.outcome.files_changed, " ") == "src/in", "the rest is committed")
local changed = sh("git diff --name-only main out").stdout
assert(changed == "src/in\n", changed)
assert(fs.exists(e.outcome.worktree_path .. "/stray"), "and it stays in the worktree")

local _, none = agent.try_query { prompt = "x", scope = {}, model = agent_that { write("a") } }
assert(results[1].is_error and results[1].content:find("nothing"), results[1].content)
assert(none == nil or none.kind, "nothing was changed, so nothing is wrong")
for _, path in ipairs { "../x", "/etc", "" } do
  local ok, wrong = pcall(agent.query, { prompt = "x", scope = { path }, model = agent_that {} })
  assert(not ok and wrong.kind == "usage" and wrong.message:find("scope"), tostring(wrong))
end
