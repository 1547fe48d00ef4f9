#!/usr/bin/env -S agentlua run
-- Three agents fix one small shop at the same time, each in its own git worktree. Two branches land,
-- the third conflicts and is caught. No key and no network: the model is the Lua function below.
-- Everything happens in a temporary folder, which goes away at the end unless you say `--keep`.
--
--     agentlua run scripts/demo.lua [--keep]

local args = agent.args {
  about = "Has three agents fix one small shop at the same time, without a key and a network.",
  { "--keep", "boolean", help = "leave the shop for you to look at" },
}
local root = sh.check("mktemp -d").stdout:gsub("%s+$", "")
local shop = root .. "/shop"
local cleanup <close> = setmetatable({}, {
  __close = function()
    if not args.keep then
      fs.remove(root, { recursive = true })
    end
  end,
})

-- A real repository: a shop in shell script, with two tests that are red -------------------------

local files = {
  ["shipping.sh"] = [[
# Cents for sending an order of $1 cents.
shipping() { echo 490; }
]],
  ["discount.sh"] = [[
# The price of $1 pieces at $2 cents each.
price() { echo $(($1 * $2)); }
]],
  ["test/shipping"] = [[
. ./shipping.sh
[ "$(shipping 4999)" = 490 ] || { echo "4999 cents: expected 490, got $(shipping 4999)"; exit 1; }
[ "$(shipping 5000)" = 0 ] || { echo "5000 cents: expected 0, got $(shipping 5000)"; exit 1; }
]],
  ["test/discount"] = [[
. ./discount.sh
[ "$(price 2 100)" = 200 ] || { echo "2 pieces: expected 200, got $(price 2 100)"; exit 1; }
[ "$(price 3 100)" = 270 ] || { echo "3 pieces: expected 270, got $(price 3 100)"; exit 1; }
]],
  ["test.sh"] = [[
for test in ${1:-test/*}; do sh -u "$test" && echo "ok   $test" || { echo "FAIL $test"; red=1; }; done
exit ${red:-0}
]],
}

fs.mkdir(shop .. "/test")
for path, text in pairs(files) do
  fs.write(shop .. "/" .. path, text)
end
sh.check(
  "git init -q -b main && git add -A && git -c user.name=You -c user.email=you@localhost commit -qm 'a shop'",
  { cwd = shop }
)
agent.config { repo = shop, worktree_root = root .. "/worktrees" }

-- The model: a function from the conversation to the next step ------------------------------------

-- Each job knows a first idea that is wrong in one corner, and a second one for when the test is red.
local jobs = {
  shipping = {
    prompt = "Orders from 5000 cents on ship free. `sh test.sh test/shipping` has to pass.",
    file = "shipping.sh",
    old = "shipping() { echo 490; }",
    first = 'shipping() { [ "$1" -gt 5000 ] && echo 0 || echo 490; }',
    second = 'shipping() { [ "$1" -ge 5000 ] && echo 0 || echo 490; }',
    test = "test/shipping",
  },
  discount = {
    prompt = "From 3 pieces on, take 10 % off. `sh test.sh test/discount` has to pass.",
    file = "discount.sh",
    old = "price() { echo $(($1 * $2)); }",
    first = 'price() { [ "$1" -gt 3 ] && echo $(($1 * $2 * 9 / 10)) || echo $(($1 * $2)); }',
    second = 'price() { [ "$1" -ge 3 ] && echo $(($1 * $2 * 9 / 10)) || echo $(($1 * $2)); }',
    test = "test/discount",
  },
  dozen = {
    prompt = "Every 12th piece is free. Write test/dozen for it, and make it pass.",
    file = "discount.sh",
    old = "price() { echo $(($1 * $2)); }",
    first = "price() { echo $((($1 - $1 / 13) * $2)); }",
    second = "price() { echo $((($1 - $1 / 12) * $2)); }",
    test = "test/dozen",
    new_test = '. ./discount.sh\n[ "$(price 12 100)" = 1100 ] || { echo "12 pieces: got $(price 12 100)"; exit 1; }\n',
  },
}

local function call(name, input)
  return { name = name, input = input }
end

local function model_for(job)
  local test = call("Bash", { command = "sh test.sh " .. job.test, description = "Run the test" })
  local function edit(from, to)
    return { tools = { call("Edit", { file_path = job.file, old_string = from, new_string = to }) } }
  end
  return agent.model {
    name = "player",
    reply = function(request)
      local red = request.results[1] and request.results[1].is_error
      if request.turn == 1 then
        local look =
          { call("Read", { file_path = job.file }), call("Glob", { pattern = "test/*" }) }
        if job.new_test then
          look[#look + 1] = call("Write", { file_path = job.test, content = job.new_test })
        end
        return { text = "I look at the code first.", tools = look }
      elseif request.turn == 2 then
        assert(request.results[1].content:find(job.old, 1, true), "that is not the file I know")
        return edit(job.old, job.first)
      elseif request.turn == 3 or request.turn == 5 then
        return { tools = { test } }
      elseif request.turn == 4 then
        assert(red, "the first idea should have been red")
        return edit(job.first, job.second)
      end
      return red and "I could not do it." or "Done: " .. job.prompt
    end,
  }
end

-- The fan-out -------------------------------------------------------------------------------------

local queries = {}
for name, job in pairs(jobs) do
  queries[name] = { prompt = job.prompt, branch = "shop/" .. name, model = model_for(job) }
end
local outcomes = agent.all(queries)

print("== agents")
for _, a in ipairs(agent.list()) do
  print(("%-12s %-10s %s"):format(a.id, a.status, a.branch))
end

print("\n== what they changed")
for _, name in ipairs { "shipping", "discount", "dozen" } do
  local diff = git.diff(outcomes[name])
  print(("%-10s +%d -%d"):format(name, diff.additions, diff.deletions))
end
print(git.diff(outcomes.shipping))

print("== landing them")
for _, name in ipairs { "shipping", "discount" } do
  print(name, git.merge({ branch = outcomes[name], into = "main" }).status)
end
local before = git.head().commit
local merged, clash = git.try_merge { branch = outcomes.dozen, into = "main" }
local why = assert(not merged and clash.merge, "dozen and discount change one line")
assert(why.status == "conflicted", why.status)
assert(git.head().commit == before, "a merge that conflicts leaves main as it was")
print("dozen", why.status .. " in " .. table.concat(why.paths or {}, ", "), "main is as it was")

print("\n== the tests, on main")
io.write(sh.check("sh test.sh", { cwd = shop }).stdout)
if args.keep then
  print("\nkept: " .. shop)
end
