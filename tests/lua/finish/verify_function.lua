-- repo
-- A function that verifies: of the outcome so far and of the worktree.
local replies, heard
local model = agent.model {
  reply = function(request)
    local content = request.messages[#request.messages].content
    heard[request.turn] = content[#content].text or ""
    return replies[request.turn] or "Done."
  end,
}

local function query(verify, list, attempts)
  replies, heard = list or {}, {}
  return agent.try_query {
    prompt = "go",
    model = model,
    worktree = true,
    verify = verify,
    verify_attempts = attempts,
  }
end

local kept
local outcome, e = query(function(outcome, worktree)
  kept = worktree
  assert(outcome.ok and outcome.subtype == "success" and outcome.result == "All done.")
  assert(outcome.num_turns == 2 and outcome.files_changed[1] == "a.txt", "what is known so far")
  assert(outcome.id:match("^agent%-%x+$") and outcome.usage.input_tokens == 0)
  assert(outcome.worktree_path == worktree.path and outcome.branch == worktree.branch)
  assert(worktree:sh("cat a.txt").stdout == "A" and #worktree:diff().files == 1)
  local ok, why = pcall(worktree.commit, worktree, "mine")
  assert(not ok and why.message:find("belongs to the agent", 1, true), tostring(why))
  agent.sleep(0.01)
  -- It may ask an agent, which works in this one's place.
  local judge = agent.model {
    reply = function()
      return '{"good":true}'
    end,
  }
  return agent.query({ prompt = "judge", model = judge, schema = { good = "boolean" } }).ok
end, {
  { tools = { { name = "Write", input = { file_path = "a.txt", content = "A" } } } },
  "All done.",
})
assert(outcome, tostring(e))
assert(outcome.verify.ok and outcome.verify.attempts == 1 and outcome.verify.baseline == nil)
local ok, why = pcall(kept.sh, kept, "true")
assert(not ok and why.message:find("was removed", 1, true), "the handle ends with the call")

-- The ways to say no; the agent hears the reason.
local function refused(verify)
  local none, error = query(verify, {}, 2)
  assert(none == nil and error.kind == "verify", tostring(error))
  assert(error.outcome.num_turns == 2, "one more try")
  return heard[2], error
end
local told, error_of = refused(function()
  return false
end)
assert(told:find("it returned false", 1, true), told)
assert(error_of.message == "verify failed twice: it returned false", error_of.message)
assert(refused(function()
  return false, "no good"
end):find("no good", 1, true))
assert(refused(function()
  return nil, "neither"
end):find("neither", 1, true))
assert(refused(function()
  error("boom")
end):find("main.lua:%d+: boom"))
assert(refused(function(_, worktree)
  return worktree:sh("echo seen; exit 1")
end):find("seen", 1, true))
assert(refused(function()
  return { ok = false }
end):find("its `ok` is false", 1, true))

-- Nothing, true and anything else are fine.
for _, value in ipairs { true, "fine", 0, { ok = true } } do
  assert(query(function()
    return value
  end))
end
assert(query(function() end))

-- Without a worktree there is none.
replies, heard = {}, {}
agent.query {
  prompt = "x",
  model = model,
  verify = function(_, worktree)
    assert(worktree == nil)
  end,
}
os.exit(0)
