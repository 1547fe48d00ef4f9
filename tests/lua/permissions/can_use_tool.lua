-- repo
-- exit: 1
-- Who is asked about the calls that the rules leave open, and what may be answered.
local results
local function caller(calls)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = calls }
      end
      results = request.results
      return "done"
    end,
  }
end
local function bash(command)
  return { name = "Bash", input = { command = command } }
end

-- Neither what is listed nor what is forbidden is asked about; the rest is.
local asked = {}
local outcome = agent.query {
  prompt = "x",
  label = "asker",
  worktree = true,
  allowed_tools = { "Bash(echo *)", "Read" },
  disallowed_tools = { "Bash(rm *)" },
  model = caller {
    bash("echo listed"),
    bash("rm forbidden"),
    bash("pwd"),
    bash("exit 3"),
    bash("ls changed"),
    bash("ls evil"),
    bash("uname"),
    bash("whoami"),
  },
  can_use_tool = function(name, input, ctx)
    asked[#asked + 1] = input.command
    assert(name == "Bash" and ctx.label == "asker" and ctx.turn == 1, "it is told who asks")
    assert(ctx.agent_id:find("^agent%-") and ctx.branch and ctx.cwd and ctx.tool_use_id, "in full")
    if input.command == "pwd" then
      return true
    elseif input.command == "exit 3" then
      return false, "not that"
    elseif input.command == "ls changed" then
      agent.sleep(0.01)
      return { behavior = "allow", updatedInput = { command = "echo instead" } }
    elseif input.command == "ls evil" then
      return { behavior = "allow", updated_input = { command = "rm x" } }
    elseif input.command == "uname" then
      return { behavior = "deny", message = "no names" }
    end
  end,
}
assert(
  table.concat(asked, ",") == "pwd,exit 3,ls changed,ls evil,uname,whoami",
  table.concat(asked, ",")
)
assert(results[1].content == "listed\n", results[1].content)
assert(results[2].content:find("forbid commands like `rm …`", 1, true), results[2].content)
assert(results[3].content:find("agent%-"), results[3].content)
assert(results[4].content == "denied: not that", results[4].content)
assert(results[5].content == "instead\n", results[5].content)
assert(
  results[6].content:find("forbid commands like `rm …`", 1, true),
  "a change is weighed anew"
)
assert(results[7].content == "denied: no names", results[7].content)
assert(results[8].content:find("allow only commands like `echo …`", 1, true), results[8].content)
assert(#outcome.permission_denials == 5, "each refusal is recorded")

-- Without lists everything is open, and nothing said leaves it as it is.
local count = 0
agent.query {
  prompt = "x",
  worktree = true,
  model = caller { bash("true"), { name = "Glob", input = { pattern = "*" } } },
  canUseTool = function()
    count = count + 1
  end,
}
assert(
  count == 2 and not results[1].is_error and not results[2].is_error,
  "it is asked, and they run"
)

-- It cannot lift the confinement.
agent.query {
  prompt = "x",
  read_only = true,
  model = caller { bash("touch x"), { name = "Read", input = { file_path = "/etc/passwd" } } },
  can_use_tool = function()
    return true
  end,
}
assert(results[1].content:find("^denied: ") and results[2].is_error, "of neither kind")

-- An error in it ends the agent, with its own line.
local function ends(can_use_tool)
  local _, e = agent.try_query {
    prompt = "x",
    worktree = true,
    model = caller { bash("true") },
    can_use_tool = can_use_tool,
  }
  return e
end
local e = ends(function()
  error("no idea")
end)
assert(e.kind == "tool" and e.message:find("no idea", 1, true), tostring(e))
assert(e.outcome.subtype == "error_during_execution", e.outcome.subtype)
e = ends(function()
  git.show("no-such-revision", "x")
end)
assert(e.kind == "git", e.kind)
e = ends(function()
  return "yes"
end)
assert(e.kind == "tool" and e.message:find("`can_use_tool` returned"), e.message)
e = ends(function()
  return { behavior = "deny", message = "enough", interrupt = true }
end)
assert(e.kind == "cancelled" and e.message:find("stopped the agent: enough", 1, true), e.message)
assert(#e.outcome.permission_denials == 1, "the refusal is recorded before")
