#!/usr/bin/env -S agentlua run
-- Analyse, fix, test: every file goes through three stages, each with an agent of its own. There is no
-- barrier: one file is tested while another is still looked at. A file without a finding is done at once.
--
--     agentlua run scripts/pipeline.lua --look-for "errors that are ignored" src/*.lua
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local args = agent.args {
  about = "Finds the worst problem of each file, fixes it, and adds a test for it.",
  { "files", "file", many = true, required = true, help = "files to look at" },
  { "--look-for", default = "a bug that a user would notice", help = "what is a problem" },
  { "--verify", metavar = "COMMAND", help = "has to pass after the fix, and after the test" },
}

-- Reads, and writes nothing: what it found is data for the next stage.
local function analyse(file)
  return agent.query({
    label = "analyse " .. file,
    prompt = agent.text(
      "Look in ${file} for ${what}. Report the worst one; `found` is false if there is none.",
      { file = file, what = args.look_for }
    ),
    read_only = true,
    schema = { found = "boolean", line = "integer?", problem = "string?" },
  }).structured_output
end

-- On a branch of its own.
local function fix(finding, file)
  if not finding.found then
    return false
  end
  local outcome = agent.query {
    label = "fix " .. file,
    prompt = ("Fix this in %s, line %s: %s\nChange no more than it takes."):format(
      file,
      finding.line or "?",
      finding.problem or "see the code"
    ),
    worktree = true,
    verify = args.verify,
  }
  return { finding = finding, outcome = outcome }
end

-- By somebody who has not written the fix, on the same branch.
local function prove(fixed, file)
  if not fixed then
    return "nothing found"
  elseif #fixed.outcome.files_changed == 0 then
    return "not fixed"
  end
  local outcome = agent.query {
    label = "test " .. file,
    prompt = ("Problem: %s\nThis change fixes it:\n\n%s\n\nAdd a test that fails without the change."):format(
      fixed.finding.problem,
      git.diff(fixed.outcome)
    ),
    worktree = fixed.outcome,
    verify = args.verify,
  }
  return "fixed and tested on " .. outcome.branch
end

local results = agent.pipeline(args.files, { analyse, fix, prove })
for i, file in ipairs(args.files) do
  print(file, results[i])
end
