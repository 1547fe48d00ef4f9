-- repo
-- Rules about commands and files: what they leave out is told to the model and recorded.
local function agent_that(calls, seen)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = calls }
      end
      for i, result in ipairs(request.results) do
        seen[i] = result
      end
      for _, tool in ipairs(request.tools) do
        seen[tool.name] = true
      end
      return "done"
    end,
  }
end
local function bash(command)
  return { name = "Bash", input = { command = command } }
end

local seen = {}
local outcome = agent.query {
  prompt = "x",
  worktree = true,
  allowed_tools = { "Bash(git log *)", "Bash(echo:*)", "Edit(src/**)" },
  disallowed_tools = { "Bash(git log --all *)", "Edit(*.lock)" },
  model = agent_that({
    bash("git log --oneline | head -1 && echo ok"),
    bash("git log --all"),
    bash("echo $(touch evil)"),
    bash("echo x > src/a.txt"),
    bash("echo x > b.txt"),
    { name = "Write", input = { file_path = "src/new.txt", content = "n" } },
    { name = "Write", input = { file_path = "new.txt", content = "n" } },
    { name = "Write", input = { file_path = "src/x.lock", content = "n" } },
    { name = "Read", input = { file_path = "src/new.txt" } },
    bash("GIT_DIR=x git log --oneline"),
    bash("git show " .. ("x"):rep(80)),
  }, seen),
}
assert(seen.Bash and seen.Edit and seen.Write and not seen.Read, "a rule about edits covers Write")
local expected = { true, false, false, false, false, true, false, false, false, false, false }
for i, fine in ipairs(expected) do
  local denied = seen[i].content:find("^denied: ") ~= nil
  -- The directory `src` is not there for the redirection: that is no denial.
  assert(denied == (not fine and i ~= 4), i .. ": " .. seen[i].content)
end
assert(seen[2].content:find("forbid commands like `git log --all …`", 1, true), seen[2].content)
assert(seen[3].content:find("`touch evil` is not covered", 1, true), seen[3].content)
assert(seen[10].content:find("setting `GIT_DIR` is not covered", 1, true), seen[10].content)
local cut = "`git show " .. ("x"):rep(51) .. "…` is not covered"
assert(seen[11].content:find(cut, 1, true), seen[11].content)
assert(#outcome.permission_denials == 8, "each is recorded")
assert(outcome.permission_denials[1].tool_input.command == "git log --all", "with its input")
assert(#outcome.files_changed == 1 and outcome.files_changed[1] == "src/new.txt", "one was written")

local ok, e = pcall(agent.query, {
  prompt = "x",
  worktree = true,
  allowed_tools = { "Bahs(x)" },
  model = agent_that({}, {}),
})
assert(not ok and e.kind == "usage" and e.hint == "did you mean `Bash`?", tostring(e))
