-- repo
-- Diffs say what a reviewer must see; an outcome's is that of its own work.
local turns = {
  { "Write", { file_path = ".husky/pre-commit", content = "echo hi\n" } },
  { "Bash", { command = "ln -s /etc/passwd link && printf 'a\\0b' > bin && chmod +x main.lua" } },
}
local outcome = agent.query {
  prompt = "x",
  branch = "b",
  model = agent.model {
    reply = function(request)
      local turn = turns[request.turn]
      return turn and { tools = { { name = turn[1], input = turn[2] } } } or "done"
    end,
  },
}
local diff = git.diff(outcome)
local seen = {}
for _, flag in ipairs(diff.flags) do
  seen[#seen + 1] = flag.path .. " " .. flag.flag
end
local flags = ".husky/pre-commit hook, link symlink, link outside, main.lua executable"
assert(table.concat(seen, ", ") == flags, table.concat(seen, ", "))
local files = {}
for _, file in ipairs(diff.files) do
  files[file.path] = file
end
assert(files.bin.binary and files.bin.additions == nil, "a binary file has no lines")
assert(files.link.target == "/etc/passwd" and files.link.new_mode == "120000", "a symlink")
assert(files["main.lua"].old_mode == "100644" and files["main.lua"].new_mode == "100755", "modes")
assert(files.link.old_mode == nil and #files.bin.flags == 0, "a new file has no old mode")
assert(diff.summary:find("4 files changed", 1, true), diff.summary)
assert(tostring(diff) == diff.patch, "`tostring` is the patch")
local ok, e = pcall(function()
  return diff.sumary
end)
assert(not ok and e.hint == "did you mean `summary`?", "fields are strict")

-- What comes on the branch later is not the outcome's.
sh.check("git commit -q --allow-empty -m later", { cwd = outcome.worktree_path })
assert(git.diff(outcome).patch == diff.patch, "an outcome's diff stays")

local shown = git.show(outcome)
assert(shown.subject == "later" and #shown.diff.files == 0, "an outcome stands for its branch")
assert(git.show(outcome.head_commit, "bin") == "a\0b", "bytes of a file")
local none, missing = git.try_show("HEAD", "mian.lua")
assert(none == nil and missing.hint == "did you mean `main.lua`?", tostring(missing))

for _, entry in ipairs(git.worktrees()) do
  local ours = entry.path == outcome.worktree_path
  assert(entry.agent == (ours and outcome.id or nil), "agentlua's worktrees are marked")
  assert(not entry.in_use and (entry.in_use == false) == ours, "and not in use")
  assert(entry.locked == false, "nor locked")
end
