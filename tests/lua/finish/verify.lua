-- repo
-- The work is verified when the agent says that it is done; a no goes back to it.
local replies, heard
local model = agent.model {
  reply = function(request)
    local content = request.messages[#request.messages].content
    heard[request.turn] = content[#content].text or ""
    return replies[request.turn] or "Done."
  end,
}

local function write(path, content)
  return { tools = { { name = "Write", input = { file_path = path, content = content } } } }
end

local function query(options, list)
  options.prompt, options.model, options.worktree = "go", model, true
  replies, heard = list, {}
  return agent.try_query(options)
end

-- Red, then green.
local outcome, e = query({ verify = "cat done.txt" }, { "Done.", write("done.txt", "yes") })
assert(outcome, tostring(e))
assert(outcome.num_turns == 3 and outcome.verify.ok and outcome.verify.attempts == 2)
assert(outcome.verify.baseline == "failed", "there was no such file")
assert(heard[1]:find("`cat done.txt` is run", 1, true), heard[1])
assert(
  heard[1]:find("It fails before you begin", 1, true) and heard[1]:find("No such file", 1, true)
)
assert(heard[2]:find("failed with exit code 1", 1, true), heard[2])
assert(
  heard[2]:find("is run 2 times more at most", 1, true) and heard[2]:find("No such file", 1, true)
)
assert(table.concat(outcome.files_changed) == "done.txt", "the baseline leaves nothing behind")

-- Red for ever: the work is kept, and the error says what was said.
outcome, e = query(
  { verify = "echo made > made.txt; echo tested; false", verify_attempts = 2, branch = "red" },
  { write("work.txt", "w") }
)
assert(outcome == nil and e.kind == "verify" and e.outcome.subtype == "error_verify", tostring(e))
assert(
  e.message:find("^verify failed twice, as it did before the agent began: `echo made"),
  e.message
)
assert(not e.message:find("\n"), "one line")
assert(e.output == "tested" and e.outcome.verify.output == "tested", "what it said")
assert(e.outcome.verify.attempts == 2 and e.outcome.verify.ok == false)
assert(git.show("red", "work.txt") == "w", "the work is on its branch")
assert(fs.exists(e.outcome.worktree_path .. "/work.txt"), "and the worktree stays")

-- Green at once, and the environment is the agent's.
outcome, e = query({
  verify = 'test "$SHADE" = red && test -n "$PORT" && test "$AGENTLUA_WORKTREE" = "$PWD"',
  env = { SHADE = "red" },
}, {})
assert(outcome, tostring(e))
assert(outcome.verify.ok and outcome.verify.baseline == "passed" and outcome.num_turns == 1)
assert(not heard[1]:find("It fails", 1, true), heard[1])

-- A command that is not there, and one that is ended by a signal.
_, e = query({ verify = "no-such-command-here", verify_attempts = 1 }, {})
assert(e.message:find("^verify failed once.*exit code 127: a command was not found"), e.message)
_, e = query({ verify = "kill -9 $$", verify_attempts = 1 }, {})
assert(e.message:find("was ended by signal 9", 1, true), e.message)

-- Much output is cut in the middle, and turns bind.
_, e = query({ verify = "yes | head -c 200000; echo END; exit 3", max_turns = 1 }, {})
assert(e.outcome.subtype == "error_max_turns" and e.outcome.verify.attempts == 1, tostring(e))
assert(#e.outcome.verify.output < 31000 and e.outcome.verify.output:find("END$"))

-- What a run leaves behind is ended, and so is a run whose agent is called off.
local folder = sh.check("pwd").stdout:gsub("\n$", "") .. "/.git/"
local function is_alive(pid)
  local ok, stat = pcall(fs.read, "/proc/" .. pid:match("%d+") .. "/stat")
  return ok and not stat:match("%) Z ")
end
outcome = query({ verify = 'sleep 600 & echo $! > "$LOG"', env = { LOG = folder .. "child" } }, {})
assert(outcome.verify.ok and not is_alive(fs.read(folder .. "child")))
replies, heard = {}, {}
local task = agent.spawn {
  prompt = "go",
  model = model,
  worktree = true,
  verify = 'test -z "$AGENTLUA_AGENT" || { echo $$ > "$LOG.new"; mv "$LOG.new" "$LOG"; sleep 600; }',
  env = { LOG = folder .. "slow" },
}
while not fs.exists(folder .. "slow") do
  agent.sleep(0.01)
end
task:cancel()
_, e = task:try_await()
assert(e.kind == "cancelled" and e.outcome.subtype == "error_cancelled", tostring(e))
assert(e.outcome.verify.attempts == 0 and e.outcome.verify.ok == nil, "it did not end")
assert(not is_alive(fs.read(folder .. "slow")), "nothing of it is left")
_, e = query({ verify = 'test -z "$AGENTLUA_AGENT" || sleep 600', timeout = 0.5 }, {})
assert(e.kind == "timeout" and e.outcome.subtype == "error_timeout", tostring(e))

-- Without a worktree it runs where the agent works.
replies, heard = {}, {}
outcome = agent.query { prompt = "go", model = model, verify = "test -f main.lua" }
assert(outcome.verify.ok and outcome.verify.baseline == "passed")

-- What fits the schema is there also when the work is not good, and a good answer follows.
local function give(input)
  return { tools = { { name = "StructuredOutput", input = input } } }
end
outcome = query({ verify = "test -f a", schema = { n = "integer" } }, {
  give { n = 1 },
  write("a", ""),
  "Mended.",
  give { n = 2 },
})
assert(outcome.structured_output.n == 2 and outcome.num_turns == 4, tostring(outcome.num_turns))
assert(outcome.result == "Mended." and heard[4]:find("still to be given", 1, true))
_, e = query(
  { verify = "false", verify_attempts = 1, schema = { n = "integer" } },
  { give { n = 3 } }
)
assert(e.outcome.subtype == "error_verify" and e.outcome.structured_output.n == 3)

for _, bad in ipairs { { verify = 1 }, { verify = " " }, { verify = "a", verify_attempts = 0 } } do
  bad.prompt, bad.model = "x", model
  local ok, why = pcall(agent.query, bad)
  assert(not ok and why.kind == "usage", tostring(why))
end
assert(#sh.check("git worktree list").stdout < 4000)
os.exit(0)
