-- Ways to get more out of agents than one of them gives, in plain Lua over what every script has: read
-- them, copy them into a script of yours, change them.
--
--     local patterns = require "agentlua.patterns"
local patterns = {}

-- What they have in common ------------------------------------------------------------------------

-- Returns a copy of a query, with more said.
---@param query agent.Query|string
---@param more table<string, any>
---@return agent.Query
local function with(query, more)
  if type(query) == "string" then
    query = { prompt = query }
  end
  local copy = { prompt = query.prompt }
  for name, value in pairs(query) do
    copy[name] = value
  end
  for name, value in pairs(more) do
    copy[name] = value
  end
  return copy
end

-- Reads the options of a pattern; `defaults` has them all, `false` for those without one.
local function options(name, given, defaults)
  local chosen = setmetatable({}, { __index = defaults })
  for option, value in pairs(given or {}) do
    if defaults[option] == nil then
      error("`patterns." .. name .. "` has no option `" .. tostring(option) .. "`", 3)
    end
    chosen[option] = value
  end
  return chosen
end

local function require_at_least(least, number, what)
  if math.type(number) ~= "integer" or number < least then
    error(what .. " must be a whole number from " .. least, 3)
  end
end

-- Returns what an agent answered, so that equal answers are equal strings.
local function answer_of(outcome)
  if outcome.structured_output ~= nil then
    return json.encode(outcome.structured_output)
  end
  return (outcome.result:lower():gsub("^%s+", ""):gsub("[%s%.!]+$", ""))
end

-- Returns what an agent made, for another one to read.
local function work_of(outcome)
  if type(outcome) == "string" then
    return outcome
  elseif outcome.branch and #outcome.files_changed > 0 then
    return outcome.result .. "\n\n```diff\n" .. git.diff(outcome).patch:sub(1, 20000) .. "\n```"
  end
  return outcome.result
end

-- vote --------------------------------------------------------------------------------------------

-- Asks several agents the same, each for itself, and counts what they answer. One that fails has no
-- vote. Against a finding that only sounds right, ask skeptics:
--
--     local real = patterns.vote({
--       prompt = "Try to refute this, from the code:\n" .. finding,
--       read_only = true,
--       schema = { refuted = "boolean" },
--     }, { n = 3 })
--     if not real.value.refuted then … end
--
-- Options: `n` (3), `key` (a function of the outcome: answers with equal keys are the same).
function patterns.vote(query, opts)
  opts = options("vote", opts, { n = 3, key = answer_of })
  require_at_least(1, opts.n, "`n` of `patterns.vote`")
  local voters = {}
  for i = 1, opts.n do
    voters[i] =
      with(query, { label = (type(query) == "table" and query.label or "vote") .. " " .. i })
  end
  local votes, best, last = {}, nil, nil
  for _, ballot in ipairs(agent.all_settled(voters)) do
    if ballot.ok then
      local key = opts.key(ballot.value)
      local vote = votes[key] or { count = 0, outcome = ballot.value }
      vote.count, votes[key] = vote.count + 1, vote
      -- Of two with as many votes, the one that had them first.
      if not best or vote.count > best.count then
        best = vote
      end
    else
      last = ballot.error
    end
  end
  if not best then
    error(last, 0)
  end
  local winner = best.outcome
  return {
    value = winner.structured_output ~= nil and winner.structured_output or winner.result,
    votes = best.count,
    of = opts.n,
    majority = best.count * 2 > opts.n,
    outcome = winner,
  }
end

-- judge -------------------------------------------------------------------------------------------

-- Lets a panel score candidates (texts, or outcomes with their changes), and returns them with the best
-- one first: `{ candidate, index, score, notes }` each. Every judge sees them in another order, because
-- what stands first is liked better.
--
--     local ranking = patterns.judge({ plan_a, plan_b }, { task = "Make start-up faster." })
--     print(ranking[1].candidate, ranking[1].score, ranking[1].notes[1])
--
-- Options: `task` (what the candidates were to do), `judges` (a number, or a list of what each of them
-- is to look at; default correctness, simplicity and tests), `query` (more for the judges' queries).
function patterns.judge(candidates, opts)
  opts = options("judge", opts, {
    task = "",
    judges = { "correctness", "simplicity", "what is tested, and what is not" },
    query = {},
  })
  require_at_least(1, #candidates, "the number of candidates of `patterns.judge`")
  local judges = opts.judges
  if type(judges) == "number" then
    require_at_least(1, judges, "`judges` of `patterns.judge`")
    judges = {}
    for i = 1, opts.judges do
      judges[i] = "all that counts"
    end
  end

  local ranking = {}
  for i, candidate in ipairs(candidates) do
    ranking[i] = { candidate = candidate, index = i, score = 0, notes = {} }
  end
  local verdicts = agent.map(judges, function(view, seat)
    -- The number under which this judge sees a candidate is the candidate's place, moved by the seat.
    local order, shown = {}, {}
    for number = 1, #candidates do
      order[number] = ranking[(number + seat - 2) % #candidates + 1]
      shown[number] = "## Candidate " .. number .. "\n\n" .. work_of(order[number].candidate)
    end
    local outcome = agent.query(with({
      label = "judge " .. seat,
      prompt = agent.text(
        [[
        Score each of these ${n} candidates from 0 to 10. You look at ${view}. ${task}

        ${shown}
        ]],
        {
          n = #candidates,
          view = view,
          task = opts.task ~= "" and "Their task was: " .. opts.task or "",
          shown = table.concat(shown, "\n\n"),
        }
      ),
      schema = { scores = { { candidate = "integer", score = "number", why = "string" } } },
    }, opts.query))
    return { order = order, scores = outcome.structured_output.scores }
  end)

  for _, verdict in ipairs(verdicts) do
    for _, given in ipairs(verdict.scores) do
      local place = verdict.order[given.candidate]
      if place then
        place.score = place.score + given.score / #judges
        place.notes[#place.notes + 1] = given.why
      end
    end
  end
  table.sort(ranking, function(a, b)
    if a.score ~= b.score then
      return a.score > b.score
    end
    return a.index < b.index
  end)
  return ranking
end

-- best_of -----------------------------------------------------------------------------------------

-- Lets several agents do the same task, each on a branch of its own, and keeps the work that a panel
-- likes best: returns its outcome, and the ranking. The others are removed; what they had is kept under
-- refs/agentlua/removed.
--
--     local outcome = patterns.best_of({ prompt = "Make the parser faster.", verify = "make test" })
--     git.merge(outcome)
--
-- Options: `n` (3), and those of `judge`.
function patterns.best_of(query, opts)
  opts = options("best_of", opts, { n = 3, judges = false, query = false, task = false })
  require_at_least(2, opts.n, "`n` of `patterns.best_of`")
  query = with(query, {})
  if query.worktree == nil then
    query.worktree = true
  end
  local tries = {}
  for i = 1, opts.n do
    tries["try " .. i] = with(query, { if_exists = query.branch and "number" or nil })
  end

  local made, last = {}, nil
  for name, outcome, err in agent.iter(tries) do
    if outcome and (not outcome.branch or #outcome.files_changed > 0) then
      made[#made + 1] = { name = name, outcome = outcome }
    elseif err then
      last = err
      if type(err) == "table" and err.outcome and err.outcome.branch then
        agent.try_remove(err.outcome, { force = true })
      end
    end
  end
  if #made == 0 then
    error(last or "`patterns.best_of`: nobody has changed anything", last and 0 or 2)
  end

  -- They ended in any order; the panel is given them in a fixed one.
  table.sort(made, function(a, b)
    return a.name < b.name
  end)
  local outcomes = {}
  for i, one in ipairs(made) do
    outcomes[i] = one.outcome
  end
  if #outcomes == 1 then
    return outcomes[1], { { candidate = outcomes[1], index = 1, score = 10, notes = {} } }
  end
  local ranking = patterns.judge(outcomes, {
    task = opts.task or query.prompt,
    judges = opts.judges or nil,
    query = opts.query or nil,
  })
  for place = 2, #ranking do
    local loser = ranking[place].candidate --[[@as agent.Outcome]]
    if loser.branch then
      agent.remove(loser, { force = true })
    end
  end
  return ranking[1].candidate, ranking
end

-- until_dry ---------------------------------------------------------------------------------------

-- Goes on looking until nothing new is found: calls `find(round, found)`, which returns a list, until
-- some rounds in a row brought nothing new. Returns all that was found, how many rounds it took, and
-- whether it is all (`false`: it stopped at `max_rounds`).
--
--     local bugs, rounds = patterns.until_dry(function(_, found)
--       return agent.query({
--         prompt = "Find bugs in src/ that are not among these:\n" .. json.encode(found),
--         read_only = true,
--         schema = { bugs = { { file = "string", what = "string" } } },
--       }).structured_output.bugs
--     end, { key = function(bug) return bug.file .. bug.what end })
--
-- Options: `dry` (2), `max_rounds` (10), `key` (what makes two items the same; default all of it).
function patterns.until_dry(find, opts)
  opts = options("until_dry", opts, { dry = 2, max_rounds = 10, key = json.encode })
  require_at_least(1, opts.dry, "`dry` of `patterns.until_dry`")
  require_at_least(1, opts.max_rounds, "`max_rounds` of `patterns.until_dry`")
  local found, seen, dry, round = {}, {}, 0, 0
  while dry < opts.dry and round < opts.max_rounds do
    round, dry = round + 1, dry + 1
    for _, item in ipairs(find(round, found) or {}) do
      local key = opts.key(item)
      if not seen[key] then
        seen[key], found[#found + 1], dry = true, item, 0
      end
    end
  end
  return found, round, dry >= opts.dry
end

-- gate --------------------------------------------------------------------------------------------

-- What a query that goes on with another cannot say again.
local settled_by_resume = { "worktree", "branch", "if_exists", "base", "dirty" }

-- Lets reviewers look at an agent's work, and returns nothing when all of them accept it, else why not.
local function objections(outcome, questions, query)
  local verdicts = agent.map(questions, function(question)
    return agent.query({
      label = "review of " .. outcome.label,
      prompt = agent.text(
        [[
        Review this work. Look for one thing, and try to find it wanting: ${question}

        ${work}
        ]],
        { question = question, work = work_of(outcome) }
      ),
      model = query.model,
      base = outcome.branch,
      read_only = outcome.branch and true or nil,
      schema = { ok = "boolean", why = "string" },
    }).structured_output
  end)
  local why = {}
  for _, verdict in ipairs(verdicts) do
    if not verdict.ok then
      why[#why + 1] = "- " .. verdict.why
    end
  end
  return why[1] and table.concat(why, "\n") or nil
end

-- Lets an agent's work through only when it is accepted; what is said against it goes back to the agent,
-- which goes on in its own conversation and worktree. Returns the outcome, and the attempt that passed.
-- (For a command or a test, the query's own `verify` does it.)
--
--     local outcome = patterns.gate(
--       { prompt = "Cache the lookups in src/dns.lua.", branch = "dns-cache" },
--       { "Can a cached answer outlive its time to live?", "Is every new branch tested?" }
--     )
--
-- `check` is a list of what reviewers are to look for, or a function of the outcome that returns true, or
-- false and why. Options: `attempts` (3).
function patterns.gate(query, check, opts)
  opts = options("gate", opts, { attempts = 3 })
  require_at_least(1, opts.attempts, "`attempts` of `patterns.gate`")
  query = with(query, {})
  local outcome = agent.query(query)
  for attempt = 1, opts.attempts do
    local ok, why
    if type(check) == "function" then
      ok, why = check(outcome, attempt)
    else
      why = objections(outcome, check, query)
      ok = not why
    end
    if ok then
      return outcome, attempt
    elseif attempt == opts.attempts then
      error("not accepted after " .. attempt .. " attempts: " .. tostring(why), 2)
    end
    local again = with(query, {
      resume = outcome,
      prompt = "Your work was looked at, and is not accepted yet:\n\n"
        .. tostring(why)
        .. "\n\nMend that, and change nothing else.",
    })
    for _, name in ipairs(settled_by_resume) do
      again[name] = nil
    end
    outcome = agent.query(again)
  end
end

return patterns
