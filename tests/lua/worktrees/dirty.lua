-- repo
-- exit: 1
-- Uncommitted changes: left, refused before anything is asked, or taken along.
local seen
local model = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Bash", input = { command = "cat main.lua | head -1; ls" } } } }
    end
    seen = request.results[1].content
    return "done"
  end,
}
fs.append("main.lua", "-- changed\n")
fs.write("untracked.txt", "u")
local status = sh("git status --porcelain").stdout
local _, e = agent.try_query { prompt = "x", dirty = "fail", model = model }
assert(e.kind == "git" and e.outcome.num_turns == 0, "nothing was asked")
assert(e.message:find("main.lua") and e.message:find("untracked.txt"), e.message)
assert(e.hint:find("copy"), e.hint)

local outcome = agent.query { prompt = "x", dirty = "copy", model = model }
assert(seen:find("untracked.txt"), seen)
assert(#outcome.files_changed == 0, "what was copied is the base")
assert(
  git.log({ rev = outcome.base_commit, limit = 1 })[1].subject == "uncommitted changes of main"
)
assert(sh("git status --porcelain").stdout == status, "the checkout is as it was")

agent.query { prompt = "x", dirty = "ignore", model = model }
assert(not seen:find("untracked.txt"), seen)
local ok, wrong =
  pcall(agent.query, { prompt = "x", dirty = "copy", base = "main~0", model = model })
assert(not ok and wrong.kind == "usage" and wrong.message:find("HEAD"), tostring(wrong))

do
  local wt <close> = git.worktree { branch = "wt", dirty = "copy" }
  assert(wt:sh("cat untracked.txt").stdout == "u", "handles have it too")
end
sh.check("git add -A && git commit -qm all")
agent.query { prompt = "x", dirty = "fail", model = model }
