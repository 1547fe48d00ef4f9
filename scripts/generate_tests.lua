#!/usr/bin/env -S agentlua run
-- One agent for each source file writes its tests, all at the same time, each on a branch of its own; a
-- table says at the end what came of each. A file whose tests cannot be made green holds up nobody.
--
--     agentlua run scripts/generate_tests.lua --verify "busted {test}" src/*.lua
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local args = agent.args {
  about = "Writes tests for source files, one agent and one branch for each.",
  { "files", "file", many = true, required = true, help = "source files without tests" },
  { "--tests", default = "tests/{name}_test.{ext}", help = "where the tests of a file go" },
  { "--verify", metavar = "COMMAND", help = "what runs one test file; `{test}` is its path" },
}

-- `{name}` and `{ext}` of the source file, `{test}` of its tests.
local function filled(template, values)
  return (template:gsub("{(%w+)}", values))
end

local queries, tests = {}, {}
for _, file in ipairs(args.files) do
  local name, ext = file:match("([^/]+)%.(%w+)$")
  if not name then
    error("cannot tell the kind of " .. file)
  end
  local test = filled(args.tests, { name = name, ext = ext })
  tests[file] = test
  queries[file] = {
    prompt = agent.text(
      [[
      Write tests for ${file} in ${test}. Test what it promises to its callers, the corners too, and
      not how it does it. If a test shows a bug, leave the code as it is, keep the test but skipped,
      and say so in the first line of your answer.
      ]],
      { file = file, test = test }
    ),
    branch = "tests/" .. name,
    if_exists = "number",
    scope = { test }, -- the code stays as it is
    verify = args.verify and filled(args.verify, { test = test }),
  }
end

agent.phase("writing tests")
local results = agent.all_settled(queries)

local row = "%-28s %-10s %-28s %s"
print(row:format("FILE", "TESTS", "BRANCH", "NOTE"))
for _, file in ipairs(args.files) do
  local result = results[file]
  local outcome = result.outcome
  local state = not result.ok and "failed" or #outcome.files_changed == 0 and "none" or "written"
  local note = result.ok and outcome.result or result.error.message
  local branch = outcome and outcome.branch or "-"
  print(row:format(file, state, branch, note:match("[^\n]*")))
end
