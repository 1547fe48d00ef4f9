-- Two agents at work at once, each in a worktree and on a branch of its own: neither is in the other's
-- way, or in yours. What they did waits on the branches until you merge it.
--
--     agentlua test               plays the agents, as first_test.lua says: no key, no network
--     agentlua run first.lua      has a model do it (ANTHROPIC_API_KEY or OPENAI_API_KEY)

local jobs = {
  readme = {
    prompt = "Read README.md and write to GETTING_STARTED.md what a newcomer has to type, in ten lines.",
    scope = { "GETTING_STARTED.md" }, -- it may write this file and no other
  },
  ignore = {
    prompt = "Add to .gitignore what this project's tools leave behind and nobody commits.",
    scope = { ".gitignore" },
  },
}

for name, outcome, err in agent.iter(jobs) do -- as they finish
  if outcome then
    print(name .. ": " .. outcome.result)
    print(git.diff(outcome).summary)
    print("  agentlua merge " .. outcome.id .. "    puts it on your branch\n")
  else
    print(name .. " failed: " .. err.message)
  end
end
