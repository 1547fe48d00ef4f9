-- repo
-- flags: --concurrency 1
-- `task:send`: heard after the next results, or before the agent would be done.
local function texts_of(message)
  local texts = {}
  for _, block in ipairs(message.content) do
    texts[#texts + 1] = block.text
  end
  return texts
end

local heard = {}
local gate = { open = false }
local worker = agent.model {
  reply = function(request)
    heard[request.turn] = texts_of(request.messages[#request.messages])
    while not gate.open do
      agent.sleep(0.005)
    end
    gate.open = false
    if request.turn == 1 then
      return { tools = { { name = "Glob", input = { pattern = "*" } } } }
    end
    return "answer " .. request.turn
  end,
}
local task = agent.spawn { prompt = "work", model = worker }
-- One place: this one is queued, and is told before it begins.
local queued = agent.spawn {
  prompt = "later",
  model = agent.model {
    reply = function(request)
      return table.concat(texts_of(request.messages[1]), "|")
    end,
  },
}
assert(queued:send("and this"), "a queued agent hears it")
while #heard < 1 do
  agent.sleep(0.005)
end
assert(task:send("with the results") and task:send("both"), "it works")
gate.open = true
while #heard < 2 do
  agent.sleep(0.005)
end
assert(table.concat(heard[2], "|") == "with the results|both", table.concat(heard[2], "|"))
assert(task:send("before it is done"), "it works still")
gate.open = true
while #heard < 3 do
  agent.sleep(0.005)
end
assert(heard[3][1] == "before it is done", heard[3][1])
gate.open = true
local outcome = task:await()
assert(outcome.result == "answer 3" and outcome.num_turns == 3, outcome.result)
assert(task:send("too late") == false, "it has ended")
local first = queued:await().result
assert(first:find("later", 1, true) == 1 and first:find("and this", 1, true), first)

for _, wrong in ipairs { "", "  ", ("x"):rep((1 << 20) + 1) } do
  local busy = agent.spawn { prompt = "x", model = worker }
  local ok, e = pcall(busy.send, busy, wrong)
  assert(not ok and e.kind == "usage", tostring(e))
  busy:cancel()
end
local lone = agent.spawn(function()
  agent.sleep(0.05)
end)
local ok, e = pcall(lone.send, lone, "x")
assert(not ok and e.kind == "usage" and e.message:find("no agent", 1, true), tostring(e))
assert(lone:await() == nil and lone:send("x") == false, "ended")
