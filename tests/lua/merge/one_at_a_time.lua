-- repo
-- flags: --concurrency 1
-- Agents that work on merges take places like any others: merges side by side do not lift the limit.
sh.check([[
echo base > f; git add f; git commit -qm base
for name in a b c; do git checkout -q -b $name main; echo $name > f; git commit -qam $name; done
git checkout -q main; echo main > f; git commit -qam main
for name in a b c; do git branch into-$name main; done
]])
local working, most, asked = 0, 0, 0
local model = agent.model {
  reply = function(request)
    asked = asked + 1
    working = working + 1
    most = math.max(most, working)
    agent.sleep(0.2)
    working = working - 1
    return request.turn == 1
        and { tools = { { name = "Bash", input = { command = "echo settled > f" } } } }
      or "done"
  end,
}
local merges = {}
for _, name in ipairs { "a", "b", "c" } do
  merges[name] = function()
    return git.try_merge {
      branch = name,
      into = "into-" .. name,
      on_conflict = { model = model },
    }
  end
end
agent.all(merges)
assert(asked >= 6, "each was asked, " .. asked)
assert(most == 1, "one at a time, not " .. most)
