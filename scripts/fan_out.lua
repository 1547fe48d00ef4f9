#!/usr/bin/env -S agentlua run
-- Three fixes side by side, each on a branch of its own; then one agent brings them together.
--
--     agentlua run scripts/fan_out.lua ["first fix" "second fix" …]
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local args = agent.args {
  about = "Makes fixes side by side, and lets one agent bring them together.",
  { "fixes", many = true, help = "what to fix, an agent for each (default: three of any project)" },
}
local fixes = #args.fixes > 0 and args.fixes
  or {
    "Find one function without a test, and write the test.",
    "Find one error message that does not say what to do, and make it say so.",
    "Find one comment or document that is no longer true, and correct it.",
  }

local queries = {}
for i, fix in ipairs(fixes) do
  queries[i] = { prompt = fix, worktree = true, label = "fix " .. i }
end

local branches, failed = {}, 0
for i, outcome, err in agent.iter(queries) do
  if not outcome then
    failed = failed + 1
    print("fix " .. i .. " failed", err.message)
  elseif #outcome.files_changed > 0 then
    branches[#branches + 1] = outcome.branch
    print("fix " .. i, outcome.branch, table.concat(outcome.files_changed, " "))
  else
    print("fix " .. i, "changed nothing")
  end
end
if #branches == 0 then
  print("Nothing to bring together.")
  os.exit(failed == 0)
end

local clashes = git.conflicts(branches)
for _, clash in ipairs(clashes) do
  print("conflict ahead", clash.a, clash.b, table.concat(clash.paths, " "))
end

local together = agent.query {
  label = "integration",
  worktree = true,
  prompt = agent.text(
    [[
    Merge these branches into the one you are on, one after the other, with `git merge --no-edit`:

    ${branches}

    Where they conflict, keep what each of them was after; leave no conflict marker. When all are
    merged, run the project's tests and mend what is red. Then say in a few lines what each branch
    brought, and what you decided where they conflicted.
    ]],
    { branches = "- " .. table.concat(branches, "\n- ") }
  ),
}
print("\n" .. together.result)
print("\nreview it:  git diff HEAD..." .. together.branch)
print("land it:    git merge " .. together.branch)
