-- repo
-- Fetching and pushing, with names first and options last.
sh.check("git init -q --bare ../o.git && git remote add origin ../o.git && git branch topic")
local pushed = git.push("origin", "main", { set_upstream = true })
assert(pushed.remote == "origin" and pushed.refs[1].ref == "refs/heads/main", "a branch")
assert(pushed.refs[1].status == "new" and pushed.refs[1].new == git.head().commit, "that is new")
assert(git.status().upstream == "origin/main" and git.status().ahead == 0, "it is followed")
assert(git.push({ branch = "topic", dry_run = true }).refs[1].status == "new", "asked only")
assert(#git.fetch().refs == 0, "nothing came")
assert(git.fetch("origin", "main", { timeout = 60 }).refs[1].ref == "FETCH_HEAD", "a name")

git.commit { message = "ours", allow_empty = true }
git.push()
sh.check("git reset -q --hard HEAD~1")
git.commit { message = "other", allow_empty = true }
local none, e = git.try_push("origin")
assert(none == nil and e.kind == "git" and e.push.reason == "non_fast_forward", tostring(e))
assert(e.hint:find("force_with_lease", 1, true), e.hint)
pushed = git.push { force_with_lease = true }
assert(pushed.refs[1].status == "forced" and pushed.refs[1].old ~= pushed.refs[1].new, "the lease")

local outcome = agent.query {
  prompt = "x",
  branch = "work",
  model = agent.model {
    reply = function(request)
      local write = { name = "Write", input = { file_path = "f", content = "x" } }
      return request.turn == 1 and { tools = { write } } or "done"
    end,
  },
}
for _, refs in ipairs {
  git.push("origin", outcome).refs,
  git.push("origin", outcome, { to = "copy" }).refs,
  git.push({ branch = outcome, to = "other" }).refs,
} do
  assert(refs[1].new == outcome.head_commit, "an outcome stands for its branch")
end

for f, wrong in pairs {
  [git.push] = { { force = true }, { branch = "a:b" }, { remotee = "x" }, { timeout = 0 } },
  [git.fetch] = { { branch = "x" }, { refspecs = "x" }, { refspecs = { "" } } },
} do
  for _, options in ipairs(wrong) do
    local ok, why = pcall(f, options)
    assert(not ok and why.kind == "usage", json.encode(options) .. ": " .. tostring(why))
  end
end
local ok, why = pcall(git.push, "a", "b", "c")
assert(not ok and why.kind == "usage", tostring(why))
