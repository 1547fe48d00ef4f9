#!/usr/bin/env -S agentlua run
-- Reviews every open pull request, each by an agent of its own that can only read. Prints what they found
-- as a table; with --post each pull request gets its review, too.
--
--     agentlua run scripts/review_prs.lua [--post] [--limit 10] [--repo owner/name]
--     agentlua run scripts/review_prs.lua fix/login fix/cart     -- local branches: no GitHub, no token
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local args = agent.args {
  about = "Reviews every open pull request, or the local branches that are named.",
  { "branches", many = true, help = "local branches to review instead" },
  { "--post", "boolean", help = "post each review to its pull request" },
  { "--limit", "integer", help = "only so many, the newest (default: all)" },
  { "--repo", help = "the repository, as owner/name (default: where origin leads)" },
}

-- Before anything is spent, not after it.
if args.post and not (os.getenv("GITHUB_TOKEN") or os.getenv("GH_TOKEN")) then
  io.stderr:write("--post needs a token: set GITHUB_TOKEN\n")
  os.exit(2)
end

-- What to review: a name, a title, and the revision, which may be a pull request itself.
local targets = {}
for _, branch in ipairs(args.branches) do
  local last = git.log({ rev = branch, limit = 1 })[1]
  targets[#targets + 1] = { name = branch, title = last.subject, revision = branch }
end
if #targets == 0 then
  -- Once: when the run is resumed, it is about the same ones.
  local pulls = agent.once("pulls", function()
    return github.pulls { limit = args.limit, repo = args.repo }
  end)
  for i, pull in ipairs(pulls) do
    targets[i] = { name = "#" .. pull.number, title = pull.title, revision = pull, pull = pull }
  end
end
if #targets == 0 then
  print("There is no open pull request.")
  return
end

local SCHEMA = {
  summary = "string",
  findings = {
    {
      file = "string",
      line = "integer",
      severity = { enum = { "high", "medium", "low" } },
      problem = "string",
    },
  },
}

local PROMPT = [[
Review this change, "${title}". You are in a checkout that has it; nothing can be written.

Look for what breaks: wrong results, lost data, races, missing checks, callers that were forgotten. Read the
code around the change before you claim anything, and leave out matters of taste. Each finding names a line
of the new files. No findings is a good answer.

```diff
${patch}
```
]]

local function post(pull, review)
  local comments, lines = {}, {}
  for i, it in ipairs(review.findings) do
    comments[i] = { path = it.file, line = it.line, body = it.severity .. ": " .. it.problem }
    lines[i] = ("- `%s:%d` %s: %s"):format(it.file, it.line, it.severity, it.problem)
  end
  local posted, err = github.try_review(pull, { body = review.summary, comments = comments })
  if not posted and err.status == 422 then
    -- GitHub takes comments only on lines that the diff shows: then all of it goes into the text.
    local body = review.summary .. "\n\n" .. table.concat(lines, "\n")
    posted, err = github.try_review(pull, { body = body })
  end
  return posted or error(err)
end

-- Every target at once; --concurrency says how many agents are at work.
local reviews = agent.map_settled(targets, function(target)
  local outcome = agent.query {
    label = target.name,
    prompt = agent.text(PROMPT, {
      title = target.title,
      patch = git.diff(target.revision).patch:sub(1, 60000),
    }),
    base = target.revision,
    read_only = true,
    schema = SCHEMA,
  }
  local review = outcome.structured_output
  if args.post and target.pull then
    post(target.pull, review)
  end
  return review
end)

-- The findings, then the table.
local RANK = { high = 3, medium = 2, low = 1 }
local rows, width = {}, 0
for i, target in ipairs(targets) do
  local review, worst = reviews[i].value, "-"
  for _, it in ipairs(review and review.findings or {}) do
    print(("%s  %s:%d  %s: %s"):format(target.name, it.file, it.line, it.severity, it.problem))
    if (RANK[it.severity] or 0) > (RANK[worst] or 0) then
      worst = it.severity
    end
  end
  local count = review and tostring(#review.findings) or "failed"
  local about = review and target.title or reviews[i].error.message
  rows[i] = { target.name, count, worst, about }
  width = math.max(width, #target.name)
end
print(("\n%-" .. width .. "s  %-8s  %-6s  %s"):format("", "FINDINGS", "WORST", "TITLE"))
for _, row in ipairs(rows) do
  print(("%-" .. width .. "s  %-8s  %-6s  %s"):format(table.unpack(row)))
end
