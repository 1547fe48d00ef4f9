-- agentlua test scripts
local test = require("agentlua.test")

-- Finds what the patch marks with TODO, and has no answer for what it marks with FAIL.
local model = [[
return agent.model {
  name = "reviewer",
  reply = function(request)
    local patch = request.prompt:match "```diff\n(.*)```"
    assert(not patch:find "FAIL", "I cannot read this")
    for _, tool in ipairs(request.tools) do
      assert(tool.name ~= "Write" and tool.name ~= "Edit", "a reviewer could write")
    end
    local findings = json.array {}
    local file = patch:match "%+%+%+ b/([^\n]+)"
    if patch:find "TODO" then
      findings[1] = { file = file, line = 1, severity = "high", problem = "this is not done" }
    end
    return json.encode { summary = "read", findings = findings }
  end,
}
]]

---@type test.Repo
local repo

test.setup(function(t)
  repo = t.repo { ["shop.lua"] = "return {}\n" }
  for name, text in pairs { login = "-- TODO\n", cart = "return 1\n", search = "-- FAIL\n" } do
    repo:write(name .. ".lua", text)
    repo:check(
      ("git switch -qc fix/%s main && git add %s.lua && git commit -qm 'Add %s' && git switch -q main"):format(
        name,
        name,
        name
      )
    )
  end
end)

test.case("local branches are reviewed without GitHub", function(t)
  local run = t.run { "review_prs.lua", "fix/login", "fix/cart", repo = repo, model = model }
  t.equal(run.code, 0)
  t.equal(
    run.stdout,
    [[
fix/login  login.lua:1  high: this is not done

           FINDINGS  WORST   TITLE
fix/login  1         high    Add login
fix/cart   0         -       Add cart
]]
  )
  local branches = repo:check("git for-each-ref --format='%(refname:short)' refs/heads").stdout
  t.equal(branches, "fix/cart\nfix/login\nfix/search\nmain\n", "reviewers leave no branch")
end)

test.case("a review that fails is a row of its own", function(t)
  local run = t.run { "review_prs.lua", "fix/cart", "fix/search", repo = repo, model = model }
  t.equal(run.status, "degraded")
  t.match(run.stdout, "fix/search  failed    %-       .*I cannot read this")
  t.match(run.stdout, "fix/cart    0         %-       Add cart")
end)

test.case("nothing is posted without a token, and nothing spent", function(t)
  local run = t.run { "review_prs.lua", "--post", repo = repo, model = model }
  t.equal(run.code, 2)
  t.contains(run.stderr, "set GITHUB_TOKEN")
  t.equal(#run.agents, 0)
end)

test.case("without branches and without GitHub it says what is missing", function(t)
  local run = t.run { "review_prs.lua", repo = repo, model = model }
  t.equal(run.error and run.error.kind, "git")
  t.contains(run.stderr, "no remote")
end)
