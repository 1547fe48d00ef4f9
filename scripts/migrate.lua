#!/usr/bin/env -S agentlua run
-- Migrates modules side by side, each in a worktree of its own that may write nowhere else, and lands
-- what passes its tests as it is finished. What conflicts or fails is told, and main is as it was.
--
--     agentlua run scripts/migrate.lua --task "Migrate {module} from Express to Fastify." \
--       --verify "npm test -- {module}" src/auth src/billing src/search
--
-- With --sequential one after the other: each step starts from what the last one landed, and a step that
-- fails is the last one.
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local args = agent.args {
  about = "Migrates modules, one agent and one branch for each, and lands what passes.",
  { "modules", many = true, required = true, help = "folders, each of them one job" },
  { "--task", required = true, help = "what to do; `{module}` is the folder" },
  {
    "--verify",
    metavar = "COMMAND",
    help = "tests of one module; a red one goes back to its agent",
  },
  { "--land-verify", metavar = "COMMAND", help = "tests of the whole, before anything lands" },
  { "--into", default = "main", metavar = "BRANCH", help = "where it lands" },
  { "--sequential", "boolean", help = "one after the other, each from what the last one landed" },
}

local function job(module)
  local function fill(template)
    return template and (template:gsub("{module}", { ["{module}"] = module }))
  end
  return {
    prompt = fill(args.task) .. "\nKeep its public interface.",
    label = module,
    branch = "migrate/" .. module:gsub("^src/", ""), -- its own worktree, its own branch
    base = args.into,
    scope = { module .. "/" }, -- writes nowhere else
    verify = fill(args.verify), -- a red test goes back to the agent, not to you
  }
end

local failed = 0
local function land(module, outcome, err)
  local merged
  if outcome then
    merged, err = git.try_merge { branch = outcome, into = args.into, verify = args.land_verify }
  end
  failed = failed + (merged and 0 or 1)
  -- What did not land is on its branch still, and the error says which.
  print(module, merged and merged.status or err.message:match("[^\n]*"))
  return merged
end

if args.sequential then
  for step, module in ipairs(args.modules) do
    agent.phase(("step %d of %d: %s"):format(step, #args.modules, module))
    if not land(module, agent.try_query(job(module))) then
      break
    end
  end
else
  local jobs = {}
  for _, module in ipairs(args.modules) do
    jobs[module] = job(module)
  end
  for module, outcome, err in agent.iter(jobs) do -- as they finish
    land(module, outcome, err)
  end
end
os.exit(failed == 0)
