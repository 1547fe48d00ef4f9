-- repo
-- Work passes when it is accepted; what is said against it goes back to the one who made it.
local patterns = require("agentlua.patterns")

local heard = {}
local worker = agent.model {
  name = "worker",
  reply = function(request)
    local last = request.messages[#request.messages]
    if #request.results > 0 then
      return "done"
    end
    heard[#heard + 1] = request.prompt
    local number = #heard
    return {
      tools = {
        {
          name = "Bash",
          input = { command = "echo " .. number .. " > n", description = "Writes the number" },
        },
      },
    }
  end,
}
local looked = {}
local outcome, attempt = patterns.gate(
  { prompt = "count", branch = "count", model = worker },
  function(made, number)
    looked[number] = git.show(made.branch, "n")
    if number == 3 then
      return true
    end
    return false, "it is only " .. looked[number]
  end
)
assert(attempt == 3 and outcome.branch == "count", "the third one passes, on the same branch")
assert(table.concat(looked) == "1\n2\n3\n", table.concat(looked))
assert(heard[2]:find("not accepted yet:\n\nit is only 1", 1, true), heard[2])

local ok, e = pcall(function()
  return (
    patterns.gate({ prompt = "x", model = worker }, function()
      return false, "never good"
    end, { attempts = 2 })
  )
end)
assert(not ok and e:find("not accepted after 2 attempts: never good", 1, true), tostring(e))

-- Reviewers, each with one thing to look for.
heard = {}
local asked = {}
local team = agent.model {
  name = "team",
  reply = function(request)
    local question = request.prompt:match("find it wanting: ([^\n]+)")
    if not question then
      heard[#heard + 1] = request.prompt
      return #heard == 1 and "it is fast" or "it is fast and safe"
    end
    asked[#asked + 1] = question
    local safe = request.prompt:find("and safe", 1, true) ~= nil
    return json.encode { ok = question == "Is it fast?" or safe, why = "nothing makes it safe" }
  end,
}
local passed, times = patterns.gate(
  { prompt = "plan", model = team },
  { "Is it fast?", "Is it safe?" }
)
assert(passed.result == "it is fast and safe" and times == 2, passed.result)
assert(#asked == 4, "both look at both")
assert(heard[2]:find("- nothing makes it safe", 1, true), heard[2])
assert(not heard[2]:find("fast", 1, true), "who is content says nothing")
