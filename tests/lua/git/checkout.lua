-- repo
-- The script's own checkout: what is there, and commits of it.
local status = git.status()
assert(status.clean and status.branch == "main" and #status.files == 0, "a clean checkout")
assert(status.upstream == nil and status.operation == nil, "nothing is followed, nothing waits")
assert(git.root() == sh.check("git rev-parse --show-toplevel").stdout:match("[^\n]+"), "the top")

local none, e = git.try_commit { message = "m" }
assert(none == nil and e.kind == "git" and e.hint:find("allow_empty", 1, true), tostring(e))

fs.write("new.lua", "x")
fs.write("main.lua", fs.read("main.lua") .. "\n")
status = git.status()
assert(not status.clean and #status.files == 2, "two files")
local by_path = {}
for _, file in ipairs(status.files) do
  by_path[file.path] = file
end
assert(by_path["main.lua"].unstaged == "modified" and by_path["main.lua"].staged == nil, "changed")
assert(by_path["new.lua"].untracked and not by_path["new.lua"].conflicted, "unknown to git")
assert(#git.status({ untracked = false }).files == 1, "unknown files can be left out")
assert(#git.status({ paths = { "new.lua" } }).files == 1, "paths narrow it")

_, e = git.try_commit { message = "m" }
assert(e.message == "nothing is staged" and e.hint:find("paths", 1, true), tostring(e))
local made = git.commit { message = "adds new", paths = { "new.lua" } }
assert(made.branch == "main" and #made.files == 1 and made.files[1] == "new.lua", "the new file")
assert(made.commit == git.head().commit, "HEAD is there")
made = git.commit { message = "all", all = true, author = "Bob <bob@example.com>" }
assert(made.files[1] == "main.lua" and git.log({ limit = 1 })[1].author_name == "Bob", "the rest")
assert(git.status().clean, "and all is committed")

for _, wrong in ipairs {
  {},
  { message = "m", paths = {} },
  { message = "m", paths = { "a" }, all = true },
  { message = "m", author = "Bob" },
  { message = " " },
} do
  local ok, why = pcall(git.commit, wrong)
  assert(not ok and why.kind == "usage", json.encode(wrong) .. " is misuse: " .. tostring(why))
end
assert(not pcall(git.status, { untracked = "some" }), "`untracked` is a closed set")
