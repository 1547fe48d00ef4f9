-- Everything that changes a repository: worktrees with work and without, commits of an agent's own,
-- merges, removals with and without force. What an agent has written is noted outside, once it is.
local notes = os.getenv("NOTES")
local function note(text)
  local file <close> = assert(io.open(notes, "a"))
  file:write(text, "\n")
end

local worker = agent.model {
  reply = function(request)
    local name = request.prompt:match("%S+")
    if request.turn == 1 then
      local input = { file_path = name .. "-a.txt", content = name .. " wrote this\n" }
      return { tools = { { name = "Write", input = input } } }
    elseif request.turn == 2 then
      note(name .. " wrote this")
      local command = ("echo %s committed this > %s-b.txt && git add %s-b.txt && git commit -qm own && echo l > x.log"):format(
        name,
        name,
        name
      )
      return { tools = { { name = "Bash", input = { command = command } } } }
    elseif request.turn == 3 then
      assert(not request.results[1].is_error, request.results[1].content)
      note(name .. " committed this")
      local input = { file_path = name .. "-c.txt", content = name .. " wrote that\n" }
      return { tools = { { name = "Write", input = input } } }
    end
    note(name .. " wrote that")
    return "done"
  end,
}
local idle = agent.model {
  reply = function()
    return "nothing to do"
  end,
}
agent.config { concurrency = 1 }

local one = agent.query { prompt = "one", branch = "work/one", model = worker }
agent.query { prompt = "idle", branch = "work/idle", model = idle }
git.merge { branch = one, into = "work/into" }
agent.remove(one)

local two = agent.query { prompt = "two", branch = "work/two", commit = false, model = worker }
agent.remove(two, { force = true })

do
  local wt <close> = git.worktree { branch = "work/hand" }
  wt:sh("echo by hand > hand.txt")
  wt:commit("by hand")
  note("by hand")
end
