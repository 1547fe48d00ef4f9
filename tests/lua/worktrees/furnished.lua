-- repo
-- exit: 1
-- What a worktree gets: a cone, ignored files, a setup that runs once; defaults are replaced key by key.
local out
local function running(command)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = { { name = "Bash", input = { command = command } } } }
      end
      out = request.results[1].content
      return "done"
    end,
  }
end
fs.mkdir("src/auth")
fs.mkdir("docs")
fs.write("src/auth/a", "a")
fs.write("docs/d", "d")
fs.write(".gitignore", ".env*\nsetup.log\n")
fs.write(".worktreeinclude", ".env\n")
sh.check("git add -A && git commit -qm files")
fs.write(".env", "KEY=1")
fs.write(".env.local", "KEY=2")
local config = sh("cat .git/config").stdout

agent.query {
  prompt = "x",
  worktree = { sparse = { "src/auth" } },
  model = running("ls -A; git status -s"),
}
assert(out:find("src") and not out:find("docs"), out)
assert(not out:find("\n [MD] ") and not out:find("%?%?"), "its own git finds it clean: " .. out)
assert(
  out:find("%.env\n") and not out:find("%.env%.local"),
  "the file being there is enough: " .. out
)
assert(sh("cat .git/config").stdout == config, "the configuration is as it was")
agent.query { prompt = "x", worktree = { include = false }, model = running("ls -A") }
assert(not out:find("%.env\n"), out)
agent.query { prompt = "x", worktree = { include = { ".env.*" } }, model = running("ls -A") }
assert(out:find("%.env%.local") and not out:find("%.env\n"), out)

agent.config { worktree = { setup = "echo $AGENTLUA_BRANCH >> setup.log; git status >/dev/null" } }
assert(agent.config().worktree.setup:find("AGENTLUA_BRANCH"))
local first = agent.query {
  prompt = "x",
  branch = "set-up",
  model = running("cat setup.log; touch new"),
}
assert(out == "set-up\n", out)
agent.query { prompt = "x", worktree = first, model = running("cat setup.log") }
assert(out == "set-up\n", "once for each worktree: " .. out)
agent.config { worktree = { setup = "echo again >> setup.log" } }
agent.query { prompt = "x", worktree = first, model = running("cat setup.log") }
assert(out == "set-up\nagain\n", "and again when it is another: " .. out)
agent.query { prompt = "x", worktree = { setup = false }, model = running("ls -A") }
assert(not out:find("setup.log") and out:find("%.env\n"), "one key is replaced: " .. out)

local asked = false
local never = agent.model {
  reply = function()
    asked = true
    return "x"
  end,
}
local _, e = agent.try_query {
  prompt = "x",
  branch = "broken",
  worktree = { setup = "echo why it fails; exit 3" },
  model = never,
}
assert(e.kind == "git" and e.outcome.subtype == "error_worktree" and not asked, tostring(e))
assert(e.message:find("exit code 3") and e.message:find("why it fails"), e.message)
assert(#git.worktrees() == 2, "it leaves nothing: only the kept one is there")

do
  local wt <close> = git.worktree {
    branch = "mine",
    sparse = { "docs" },
    include = false,
    setup = "echo $AGENTLUA_BRANCH > docs/by",
  }
  local listed = wt:sh("ls -A; cat docs/by").stdout
  assert(listed:find("docs") and not listed:find("src") and not listed:find("%.env\n"), listed)
  assert(listed:find("mine\n$"), listed)
  wt:commit("docs")
end
local ok, wrong = pcall(agent.query, { prompt = "x", worktree = { virtual = true }, model = never })
assert(not ok and wrong.message:find("not built yet"), tostring(wrong))
for options, word in pairs {
  [{ sparse = { "src/*" } }] = "pattern",
  [{ include = "x" }] = "include",
  [{ setup = 5 }] = "setup",
  [{ sparce = {} }] = "sparce",
  [{ branch = "x" }] = "branch",
} do
  local fine, bad = pcall(agent.query, { prompt = "x", worktree = options, model = never })
  assert(not fine and bad.kind == "usage" and bad.message:find(word, 1, true), tostring(bad))
end
