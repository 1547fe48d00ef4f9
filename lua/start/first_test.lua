-- Runs first.lua in a repository of its own, with a model that is a Lua function.
--
--     agentlua test

local test = require("agentlua.test")

-- It is asked once a turn, and says what to call, or, at the end, what it has done.
local model = [[
return agent.model {
  name = "player",
  reply = function(request)
    if request.turn == 2 then
      return "Done."
    end
    local file = request.prompt:match "GETTING_STARTED.md" or ".gitignore"
    return { tools = { { name = "Write", input = { file_path = file, content = "x\n" } } } }
  end,
}
]]

test.case("each agent writes its own file on its own branch", function(t)
  local repo = t.repo { ["README.md"] = "# A project\n" }
  local run = t.run { "first.lua", repo = repo, model = model }
  t.equal(run.code, 0)
  t.equal(#run.agents, 2)
  for _, outcome in ipairs(run.agents) do
    t.equal(#outcome.files_changed, 1)
    t.equal(
      repo:check("git show --format= --name-only " .. outcome.branch).stdout,
      outcome.files_changed[1] .. "\n"
    )
  end
  t.equal(repo:check("git status --porcelain").stdout, "", "your files are as they were")
end)
