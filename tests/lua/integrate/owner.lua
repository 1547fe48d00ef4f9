-- repo
-- The agent whose work a branch is comes first; when it cannot do it, another does, and the run is well.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check("printf '1\\n2\\n3\\n' > shared; git add shared; git commit -qm base")

local asked = {}
local model = agent.model {
  reply = function(request)
    if #(request.results or {}) > 0 then
      return "done"
    end
    local text = json.encode(request.messages)
    local command
    if text:find("The work you did on", 1, true) then
      asked[#asked + 1] = "owner"
      assert(
        #request.messages >= 5 and text:find("turn right", 1, true),
        "in the conversation that it had"
      )
      error("I have had enough")
    elseif text:find("stopped at conflicts", 1, true) then
      asked[#asked + 1] = "other"
      assert(text:find('was called \\"turn right\\"', 1, true), "whose work it was: " .. text)
      command = "sed -i '/^<<<<<<< /d;/^=======$/d;/^>>>>>>> /d' shared"
    else
      command = "sed -i 's/2/" .. text:match("turn (%w+)") .. "/' shared"
    end
    return { tools = { { name = "Bash", input = { command = command } } } }
  end,
}
local outcomes = agent.all {
  { prompt = "turn left", label = "turn left", branch = "left", model = model },
  { prompt = "turn right", label = "turn right", branch = "right", model = model },
}
-- Names stand for outcomes: the journal knows who made them.
local done = agent.integrate { branches = { "left", "right" }, into = "main", model = model }
assert(done.ok and table.concat(asked, " ") == "owner other", table.concat(asked, " "))
assert(done.merges[2].resolved[1].how == "agent", "by an agent")
assert(done.merges[2].resolved[1].by ~= outcomes[2].id, "which is not the owner")
assert(fs.read("shared") == "1\nleft\nright\n3\n", fs.read("shared"))
assert(git_of("rev-parse right") == outcomes[2].head_commit, "the branch is as it was")

-- The owner's own worktree is not where it works.
for _, outcome in ipairs(outcomes) do
  assert(sh("git -C " .. outcome.worktree_path .. " status --porcelain").stdout == "", "clean")
end
-- The outcome can be merged like any.
sh.check("git checkout -q -b back main~1")
local merged = git.merge { branch = done, into = "back" }
assert(merged.status == "fast_forward" or merged.status == "merged", merged.status)
