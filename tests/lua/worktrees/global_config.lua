-- repo
-- What an agent's git sets for the whole machine stays its own. (The tests' machine has no settings:
-- `GIT_CONFIG_GLOBAL` is /dev/null.)
local commands = [[
git config --global user.name Eve
git config --global --get user.name
git config --global core.hooksPath /tmp/evil
git commit --quiet --allow-empty --message hooked && git log -1 --format=%an]]
local outcome = agent.query {
  prompt = "configure",
  worktree = true,
  model = agent.model {
    reply = function(request)
      if request.turn > 1 then
        return request.results[1].content
      end
      return { tools = { { name = "Bash", input = { command = commands } } } }
    end,
  },
}
-- The repository's own setting stands above it, as it does for the user.
assert(outcome.result:match("^Eve\nAda%s*$"), outcome.result)
assert(not fs.exists(os.getenv("HOME") .. "/.gitconfig"), "nothing is set for the machine")
assert(sh("git config --global --list").stdout == "", "nor where the user's settings are")
