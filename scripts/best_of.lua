#!/usr/bin/env -S agentlua run
-- Several agents do the same task, each on a branch of its own; a panel of judges reads what they made,
-- and the best one stays. The others go: what they wrote is kept under refs/agentlua/removed.
--
--     agentlua run scripts/best_of.lua "Make the parser report line numbers." [3]
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local patterns = require("agentlua.patterns")

local args = agent.args {
  about = "Lets several agents do the same task, and keeps what judges like best.",
  { "task", default = "Find the slowest test of this project and make it faster." },
  { "tries", "integer", default = 3, help = "how many agents try, from 2" },
}
if args.tries < 2 then
  print("how many? 2 or more")
  os.exit(2)
end

local best, ranking = patterns.best_of(args.task, { n = args.tries })
for place, try in ipairs(ranking) do
  local files = table.concat(try.candidate.files_changed, " ")
  print(("%d. %s  %.1f of 10  %s"):format(place, try.candidate.label, try.score, files))
  for _, note in ipairs(try.notes) do
    print("   " .. note)
  end
end
print("\n" .. best.result)
print("\nreview it:  git diff HEAD..." .. best.branch)
print("land it:    git merge " .. best.branch)
