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

-- Says at the caller's line what a pattern was called with that it cannot take. `types` are the names of
-- Lua's types, in the words of a sentence.
local function require_argument(pattern, place, name, value, types)
  for word in types:gmatch("%l+") do
    if type(value) == word then
      return
    end
  end
  local what = ("`patterns.%s`: argument %d (`%s`)"):format(pattern, place, name)
  error(what .. " must be a " .. types .. ", not " .. type(value), 3)
end

-- Reads the options of a pattern; `defaults` has them all, `false` for those without one.
local function options(name, given, defaults)
  if given ~= nil and type(given) ~= "table" then
    error("the options of `patterns." .. name .. "` must be a table, not " .. type(given), 3)
  end
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

-- Returns what an answer or an item has to have in common with another to be the same.
local function key_of(pattern, key, value)
  local same = key(value)
  if same == nil or same ~= same then
    error("`key` of `patterns." .. pattern .. "` has returned " .. tostring(same), 3)
  end
  return same
end

local function require_key(pattern, key)
  if type(key) ~= "function" then
    error("`key` of `patterns." .. pattern .. "` must be a function, not " .. type(key), 3)
  end
end

-- Checks who judges and how, before anybody is paid for what they are to look at.
local function require_judges(pattern, judges, query)
  if type(query) ~= "table" then
    error("`query` of `patterns." .. pattern .. "` must be a table, not " .. type(query), 3)
  end
  local count = type(judges) == "table" and #judges or judges
  if math.type(count) ~= "integer" or count < 1 then
    local what = "`judges` of `patterns." .. pattern .. "`"
    error(what .. " must be a whole number from 1, or a list of what each looks at", 3)
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
-- vote; of two answers with as many votes, the one of the voter with the lower number wins. Against a finding that only sounds right, ask skeptics:
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
  require_argument("vote", 1, "query", query, "string or table")
  opts = options("vote", opts, { n = 3, key = answer_of })
  require_at_least(1, opts.n, "`n` of `patterns.vote`")
  require_key("vote", opts.key)
  local voters = {}
  for i = 1, opts.n do
    voters[i] =
      with(query, { label = (type(query) == "table" and query.label or "vote") .. " " .. i })
  end
  -- In the order of the voters, whoever was first to answer.
  local answers, by_key, last = {}, {}, nil
  for _, ballot in ipairs(agent.all_settled(voters)) do
    if ballot.ok then
      local key = key_of("vote", opts.key, ballot.value)
      local known = by_key[key]
      if known then
        known.count = known.count + 1
      else
        by_key[key] = { count = 1, outcome = ballot.value }
        answers[#answers + 1] = by_key[key]
      end
    else
      last = ballot.error
    end
  end
  local best = answers[1]
  if not best then
    error(last, 0)
  end
  for _, answer in ipairs(answers) do
    if answer.count > best.count then
      best = answer
    end
  end
  local winner = best.outcome
  local value = winner.structured_output
  if value == nil then
    value = winner.result
  end
  return {
    value = value,
    votes = best.count,
    of = opts.n,
    majority = best.count * 2 > opts.n,
    outcome = winner,
  }
end

-- judge -------------------------------------------------------------------------------------------

-- Lets a panel score candidates (texts, or outcomes with their changes), and returns them with the best
-- one first: `{ candidate, index, score, notes }` each; of two with the same score, the one with the lower
-- index. Every judge sees them in another order, because what stands first is liked better.
--
--     local ranking = patterns.judge({ plan_a, plan_b }, { task = "Make start-up faster." })
--     print(ranking[1].candidate, ranking[1].score, ranking[1].notes[1])
--
-- Options: `task` (what the candidates were to do), `judges` (a number, or a list of what each of them
-- is to look at; default correctness, simplicity and tests), `query` (more for the judges' queries).
function patterns.judge(candidates, opts)
  require_argument("judge", 1, "candidates", candidates, "table")
  opts = options("judge", opts, {
    task = "",
    judges = { "correctness", "simplicity", "what is tested, and what is not" },
    query = {},
  })
  require_at_least(1, #candidates, "the number of candidates of `patterns.judge`")
  local judges = opts.judges
  require_judges("judge", judges, opts.query)
  if type(judges) == "number" then
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
-- likes best (of two with the same score, the one with the lower number): returns its outcome, and the
-- ranking. The others are removed; what they had is kept under refs/agentlua/removed.
--
--     local outcome = patterns.best_of({ prompt = "Make the parser faster.", verify = "make test" })
--     git.merge(outcome)
--
-- Options: `n` (3), and those of `judge`.
function patterns.best_of(query, opts)
  require_argument("best_of", 1, "query", query, "string or table")
  opts = options("best_of", opts, { n = 3, judges = false, query = false, task = false })
  require_at_least(2, opts.n, "`n` of `patterns.best_of`")
  require_judges("best_of", opts.judges or 1, opts.query or {})
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
      made[#made + 1] = { number = math.tointeger(name:match("%d+$")), outcome = outcome }
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
    return a.number < b.number
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
  require_argument("until_dry", 1, "find", find, "function")
  opts = options("until_dry", opts, { dry = 2, max_rounds = 10, key = json.encode })
  require_at_least(1, opts.dry, "`dry` of `patterns.until_dry`")
  require_at_least(1, opts.max_rounds, "`max_rounds` of `patterns.until_dry`")
  require_key("until_dry", opts.key)
  local found, seen, dry, round = {}, {}, 0, 0
  while dry < opts.dry and round < opts.max_rounds do
    round, dry = round + 1, dry + 1
    local items = find(round, found) or {}
    if type(items) ~= "table" then
      error("`find` of `patterns.until_dry` must return a list, not " .. type(items), 2)
    end
    for _, item in ipairs(items) do
      local key = key_of("until_dry", opts.key, item)
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
  require_argument("gate", 1, "query", query, "string or table")
  require_argument("gate", 2, "check", check, "table or function")
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
