-- Thirty agents: a pipeline of five items in two stages, three groups of five inside one another, merges,
-- and five that start from what was merged. What it returns does not depend on who is faster.
local WORDS = { p2a = "written" }
-- One that takes longer than the whole pipeline.
local FILES = { g1n1 = 20 }

local function job(name, more)
  local word, files = WORDS[name] or "written", FILES[name] or 3
  local query = {
    label = name,
    prompt = name
      .. ": [[scenario steady dir="
      .. name
      .. " files="
      .. files
      .. " word="
      .. word
      .. "]]",
    branch = "work/" .. name,
    max_turns = 99,
  }
  for option, value in pairs(more or {}) do
    query[option] = value
  end
  return query
end

local function talk(name)
  return { label = name, prompt = name .. ": [[scenario text say=" .. name .. "]]" }
end

local function tree(commit)
  return (sh.check("git rev-parse " .. commit .. "^{tree}").stdout:gsub("%s", ""))
end

local report = {}
local function note(name, outcome)
  local told = outcome.head_commit
      and { tree = tree(outcome.head_commit), base = tree(outcome.base_commit) }
    or {}
  told.result, told.files, told.branch = outcome.result, outcome.files_changed, outcome.branch
  report[name] = told
end

local items = { "p1", "p2", "p3", "p4", "p5" }
local both = agent.all {
  pipeline = function()
    return agent.pipeline(items, {
      function(name)
        local first = agent.query(job(name .. "a"))
        note(name .. "a", first)
        return first
      end,
      function(first, name)
        return agent.query(job(name .. "b", { base = first }))
      end,
    })
  end,
  groups = function()
    local groups = {}
    for g = 1, 3 do
      groups["g" .. g] = function()
        local names = {}
        for n = 1, 5 do
          local name = "g" .. g .. "n" .. n
          names[name] = n > 3 and talk(name) or job(name)
        end
        return agent.all(names)
      end
    end
    return agent.all(groups)
  end,
}
for _, group in pairs(both.groups) do
  for name, outcome in pairs(group) do
    note(name, outcome)
  end
end
report.merges = {}
for n, outcome in ipairs(both.pipeline) do
  note(items[n] .. "b", outcome)
  report.merges[n] = git.merge({ branch = outcome, into = "work/into" }).status
end
for n = 1, 5 do
  local outcome = agent.query(job("late" .. n, { base = "work/into" }))
  note("late" .. n, outcome)
  report.merges[5 + n] =
    git.merge({ branch = outcome, into = "work/into", message = "late " .. n }).status
end
report.once = agent.once("count", function()
  return #report.merges
end)
report.into = tree("work/into")
return report
