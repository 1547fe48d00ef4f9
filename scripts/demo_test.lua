-- agentlua test scripts
local test = require("agentlua.test")

test.case("two branches land, the third conflicts and is caught", function(t)
  local run = t.run { "demo.lua" }
  t.equal(run.status, "completed")
  t.equal(#run.agents, 3)
  for _, outcome in ipairs(run.agents) do
    t.equal(outcome.num_turns, 6, outcome.label .. " needed a second idea")
  end
  t.match(run.stdout, "shipping\tfast_forward\n")
  t.match(run.stdout, "discount\tmerged\n")
  t.contains(run.stdout, "dozen\tconflicted in discount.sh\tmain is as it was\n")
  t.contains(run.stdout, "ok   test/discount\nok   test/shipping\n")
end)

test.case("--keep leaves the shop for you to look at", function(t)
  local run = t.run { "demo.lua", "--keep" }
  t.equal(run.code, 0)
  local shop = run.stdout:match("\nkept: (.+)\n$")
  t.truthy(shop, "where it is")
  t.contains(sh.check("git log --format=%s", { cwd = shop }).stdout, "a shop\n")
end)

test.case("asked for its help, it does nothing else", function(t)
  local run = t.run { "demo.lua", "--help" }
  t.equal(run.code, 0)
  t.contains(run.stdout, "--keep  leave the shop for you to look at\n")
  t.equal(#run.agents, 0)
end)

test.case("a flag that is misspelt starts nobody", function(t)
  local run = t.run { "demo.lua", "--kepe" }
  t.equal(run.code, 2)
  t.contains(run.stderr, "did you mean `--keep`?")
  t.equal(#run.agents, 0)
end)
