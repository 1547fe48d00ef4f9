-- repo
-- A writing tool without a worktree is refused wherever the directory lies in a repository, through
-- links and in bare ones too.
local model = agent.model {
  reply = function()
    return "done"
  end,
}
sh.check("git init -q --bare ../bare.git && mkdir -p src ../plain && ln -s work/src ../link")
local function ask(cwd)
  return pcall(agent.query, { prompt = "x", model = model, cwd = cwd, allowed_tools = { "Bash" } })
end
for _, cwd in ipairs { ".", "src", "../link", "../bare.git", "../bare.git/refs" } do
  local ok, e = ask(cwd)
  assert(not ok and e.kind == "usage", cwd .. " lies in a repository")
  assert(e.message:find("`Bash`, which writes", 1, true), e.message)
end
assert(ask("../plain"), "a directory outside every repository is fine")
