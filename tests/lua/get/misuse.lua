-- repo
-- What cannot be found or waited for is said at the caller's line.
local function refused(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok and e.kind == "usage", tostring(e))
  assert(e.at:find("^main.lua:%d+$"), tostring(e.at))
  return e
end

local e = refused(agent.get, "agent-ffffff")
assert(e.message == "no agent of this repository has the id `agent-ffffff`", e.message)
assert(e.hint == "`agentlua agents --all` lists them", e.hint)
assert(refused(agent.get, "").message:find("has the id ``", 1, true), "an empty name is nobody's")
assert(
  refused(agent.get).message:find("must be an id, an outcome or a task, not nil", 1, true),
  "none"
)
assert(refused(agent.get, 7).message:find("not number", 1, true), "no number")
assert(refused(agent.try_get, "agent-ffffff").kind == "usage", "its twin raises that too")

-- An agent that waits for itself, from inside one of its own calls.
local complaint
local model = agent.model {
  reply = function(request)
    return request.turn == 1 and { tools = { { name = "look" } } } or "done"
  end,
}
local function look(how)
  complaint = nil
  agent.query {
    prompt = "look",
    model = model,
    tools = {
      agent.tool {
        name = "look",
        description = "Looks at itself",
        run = function(_, ctx)
          local _, why = pcall(function()
            how(agent.get(ctx.agent_id))
          end)
          complaint = why
          return "looked"
        end,
      },
    },
  }
  return complaint
end
local why = look(function(own)
  assert(own:status() == "running", "it sees itself at work")
  own:await()
end)
assert(why.kind == "usage" and why.message:find("would wait for itself", 1, true), tostring(why))
why = look(function(own)
  for _ in own:events() do
  end
end)
assert(why.kind == "usage" and why.message:find("the events of itself", 1, true), tostring(why))

local found = agent.get(agent.list({ all = true })[1].id)
assert(refused(found.await).hint:find("a colon", 1, true), "methods are called with a colon")
assert(refused(found.send, found, 7).message:find("`text`", 1, true), "a text is a string")
local unknown = refused(function()
  return found.nothing
end)
assert(unknown.hint:find(":await()", 1, true), "what a handle lacks is an error, as of a task")
