#!/usr/bin/env -S agentlua run
-- Reviews every open pull request, each by an agent of its own that can only read. Prints what they found
-- as a table; with --post each pull request gets its review, too.
--
--     agentlua run scripts/review_prs.lua [--post] [--limit 10] [--repo owner/name]
--     agentlua run scripts/review_prs.lua fix/login fix/cart     -- local branches: no GitHub, no token
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).
-- Ends with 1 if a review failed or could not be posted.

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
  ---@type boolean, any
  local ok, pulls = pcall(agent.once, "pulls", function()
    return github.pulls { limit = args.limit, repo = args.repo }
  end)
  if not ok then
    if pulls.kind == "git" and not args.repo then
      pulls.hint = "say it: `--repo owner/name`; or name local branches"
    end
    error(pulls)
  end
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

-- The most bytes of a patch that stand in a prompt; the agent reads the rest in its checkout.
local MOST = 60000

-- Prompts are UTF-8; files may be anything.
local function clean(text)
  local parts, at = {}, 1
  while at <= #text do
    local _, bad = utf8.len(text, at)
    if not bad then
      parts[#parts + 1] = text:sub(at)
      break
    end
    parts[#parts + 1] = text:sub(at, bad - 1) .. "\u{FFFD}"
    at = bad + 1
  end
  return table.concat(parts)
end

local function excerpt(patch)
  local text = clean(patch)
  if #text <= MOST then
    return text
  end
  return text:sub(1, utf8.offset(text, 0, MOST + 1) - 1) .. "\n… (the patch is longer)"
end

-- Posts a review; returns what went wrong.
local function post(pull, review)
  local comments, all, loose = {}, {}, {}
  for _, it in ipairs(review.findings) do
    local line = ("- `%s:%d` %s: %s"):format(it.file, it.line, it.severity, it.problem)
    all[#all + 1] = line
    if it.file:find("%S") and it.line >= 1 and it.line < 2 ^ 31 then
      local said = it.severity .. ": " .. it.problem
      comments[#comments + 1] = { path = it.file, line = it.line, body = said }
    else
      loose[#loose + 1] = line -- Models name lines that no file has.
    end
  end
  local summary = review.summary
  if not summary:find("%S") then
    summary = #all == 0 and "No findings." or "Findings: " .. #all
  end
  local function body(lines)
    return #lines == 0 and summary or summary .. "\n\n" .. table.concat(lines, "\n")
  end
  local posted, err = github.try_review(pull, { body = body(loose), comments = comments })
  if err and err.status == 422 and #comments > 0 then
    -- GitHub takes comments only on lines that the diff shows: then all of it goes into the text.
    posted, err = github.try_review(pull, { body = body(all) })
  end
  return not posted and err or nil
end

-- Every target at once; --concurrency says how many agents are at work.
local reviews = agent.map_settled(targets, function(target)
  local outcome = agent.query {
    label = target.name,
    prompt = agent.text(PROMPT, {
      title = clean(target.title),
      patch = excerpt(git.diff(target.revision).patch),
    }),
    base = target.revision,
    read_only = true,
    schema = SCHEMA,
  }
  local review = outcome.structured_output
  local unposted = args.post and target.pull and post(target.pull, review)
  return { review = review, unposted = unposted }
end)

-- The findings, then the table.
local RANK = { high = 3, medium = 2, low = 1 }
local rows, width, failures = {}, 0, 0
for i, target in ipairs(targets) do
  local done = reviews[i].value
  ---@type string[]
  local row = { target.name, "failed", "-", target.title }
  if done then
    for _, it in ipairs(done.review.findings) do
      print(("%s  %s:%d  %s: %s"):format(target.name, it.file, it.line, it.severity, it.problem))
      if (RANK[it.severity] or 0) > (RANK[row[3]] or 0) then
        row[3] = it.severity
      end
    end
    row[2] = tostring(#done.review.findings)
  end
  local err = reviews[i].error or done and done.unposted
  if err then
    failures = failures + 1
    row[4] = (done and "not posted: " or "") .. (err.message or tostring(err))
  end
  rows[i] = row
  width = math.max(width, #target.name)
end
print(("\n%-" .. width .. "s  %-8s  %-6s  %s"):format("", "FINDINGS", "WORST", "TITLE"))
for _, row in ipairs(rows) do
  print(("%-" .. width .. "s  %-8s  %-6s  %s"):format(table.unpack(row)))
end
if failures > 0 then
  io.stderr:write(("%d of %d failed\n"):format(failures, #targets))
  os.exit(1)
end
