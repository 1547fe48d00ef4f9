-- Results are plain tables that refuse a field which they cannot have.
local result = sh("echo out; echo err >&2; exit 3")
assert(result.ok == false and result.code == 3, "fields")
assert(result.stdout == "out\n" and result.stderr == "err\n", "texts")
local names = {}
for name in pairs(result) do
  names[#names + 1] = name
end
table.sort(names)
assert(table.concat(names, " ") == "code ok stderr stdout", "pairs takes them")
assert(
  json.encode(result) == '{"code":3,"ok":false,"stderr":"err\\n","stdout":"out\\n"}',
  "so does json.encode"
)
local ok, e = pcall(function()
  return result.stdotu
end)
assert(not ok and e.kind == "usage", "an unknown field is a mistake")
assert(e.message == "a command result has no field `stdotu`", e.message)
assert(e.hint == "did you mean `stdout`?" and e.at:match("^main.lua:%d+$"), "with hint and line")
ok, e = pcall(function()
  return result.qqqq
end)
assert(not ok and e.hint:find("it has `", 1, true), "what there is, when nothing is near")
assert(result[1] == nil, "other keys are just absent")
assert(agent.config().maxTurns == 20 and agent.config().max_turns == 20, "camelCase is accepted")
result.mine = 1
assert(result.mine == 1, "a script may add its own")
