-- repo
-- AGENTS.md and CLAUDE.md of the repository are told, before the task, in its own worktree's version.
local seen
local model = agent.model {
  reply = function(request)
    seen = request
    return "done"
  end,
}
local function texts()
  local list = {}
  for _, block in ipairs(seen.messages[1].content) do
    list[#list + 1] = block.text
  end
  return list
end
agent.query { prompt = "task", model = model }
assert(texts()[1] == "task" and #texts() == 2, "nothing is told where there is nothing")

fs.write("AGENTS.md", "Indent with tabs.\n")
fs.write("CLAUDE.md", "@AGENTS.md\nAnswer in verse. See @docs/more.md\n")
fs.mkdir("docs")
fs.mkdir("sub")
fs.write("docs/more.md", "More of it.\n")
fs.write("sub/CLAUDE.md", "Only here.\n")
sh.check("git add --all && git commit -q -m rules")
fs.write("AGENTS.md", "Uncommitted.\n")

agent.query { prompt = "task", worktree = true, model = model }
local rules = texts()[1]
assert(texts()[2] == "task" and seen.prompt == "task" and #texts() == 3, "before the task")
for _, told in ipairs { "Indent with tabs.", "Answer in verse.", "More of it." } do
  local _, count = rules:gsub(told, "")
  assert(count == 1, told .. " is told " .. count .. " times: " .. rules)
end
assert(not rules:find("Uncommitted", 1, true) and not rules:find("Only here", 1, true), rules)
local first = rules
agent.query { prompt = "another", worktree = true, model = model }
assert(texts()[1] == first, "siblings are told the same bytes")

agent.query { prompt = "task", cwd = "sub", model = model }
assert(texts()[1]:find("Uncommitted", 1, true) and texts()[1]:find("Only here", 1, true), texts()[1])
