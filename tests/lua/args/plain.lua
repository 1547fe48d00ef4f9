-- Arguments without any typed: defaults, lists, and what was not declared. `tests/arguments.rs` types some.
local args = agent.args {
  { "files", many = true },
  { "--limit", "integer", default = 3 },
  { "--part", "number" },
  { "--dry-run", "boolean" },
}
assert(json.encode(args) == '{"dry_run":false,"files":[],"limit":3}', json.encode(args))
assert(args.part == nil, "what has no value is nil")
assert(math.type(args.limit) == "integer", "a whole number is one")
local ok, e = pcall(function()
  return args.limits
end)
assert(not ok and e.kind == "usage" and e.hint == "did you mean `limit`?", tostring(e))
local names = {}
for name in pairs(args) do
  names[#names + 1] = name
end
assert(#names == 3, "pairs sees what has a value")

-- As in the REPL, where there is no `arg`, one may declare again.
arg = nil
assert(agent.args({ { "--word", default = "x" } }).word == "x", "the defaults")
local needs, why = pcall(agent.args, { { "--word", required = true } })
assert(not needs and why.message == "the script needs `--word`", tostring(why))
assert(why.hint == nil, "there is no command to type")
