-- What is declared wrong is a usage error at its line that names the argument.
local cases = {
  {
    { { "--limit", "int" } },
    "`agent.args`: `int`, said of `--limit`, is no type",
    "did you mean `integer`?",
  },
  {
    { { "--limit", "zzz" } },
    "`agent.args`: `zzz`, said of `--limit`, is no type",
    "types are `string`, `integer`, `number`, `boolean`, `file` and `directory`; a list of words allows those",
  },
  {
    { { "--limit", {} } },
    "`agent.args`: the words that `--limit` allows must be a list of strings",
  },
  {
    { { "--limit", { 1 } } },
    "`agent.args`: the words that `--limit` allows must be a list of strings",
  },
  {
    { { "--limit", 7 } },
    "`agent.args`: the type of `--limit` must be a word or a list of words, not a number",
  },
  {
    { { "--limit", "integer", "number" } },
    "`agent.args`: `--limit` has more than names and a type",
    [[what else is said of it has a name: `default = 10`, `help = "…"`]],
  },
  {
    { { "--limit", "integer", default = "10" } },
    "`agent.args`: the default of `--limit` must be a whole number, not the string `10`",
  },
  {
    { { "--limit", "integer", default = 1.5 } },
    "`agent.args`: the default of `--limit` must be a whole number, not 1.5",
  },
  {
    { { "--way", { "up", "down" }, default = "sideways" } },
    "`agent.args`: the default of `--way` must be `up` or `down`, not `sideways`",
  },
  {
    { { "--tag", many = true, default = "x" } },
    "`agent.args`: the default of `--tag` must be a list, not a string",
  },
  {
    { { "--tag", hlep = "x" } },
    "`agent.args`: `--tag` has no option `hlep`",
    "did you mean `help`?",
  },
  {
    { { "--tag", zzz = "x" } },
    "`agent.args`: `--tag` has no option `zzz`",
    "it takes `default`, `required`, `many`, `help`, `metavar`",
  },
  {
    { { "--tag", required = true, default = "x" } },
    "`agent.args`: `--tag` is required, and its default would never be used",
  },
  {
    { { "--on", "boolean", many = true } },
    "`agent.args`: `--on` is a boolean: it is there or not, and takes only `default` and `help`",
  },
  {
    { { "-o", "boolean", default = true } },
    "`agent.args`: `-o` is on by default: without a long name nothing could turn it off",
  },
  {
    { { "on", "boolean" } },
    "`agent.args`: `on` is a boolean and goes by its place: give it dashes",
  },
  {
    { { "---x" } },
    "`agent.args`: `---x` is no name of an argument",
    "names are `file`, `--file` and `-f`",
  },
  {
    { { "-tag" } },
    "`agent.args`: `-tag` is no name of an argument",
    "names are `file`, `--file` and `-f`",
  },
  {
    { { "a b" } },
    "`agent.args`: `a b` is no name of an argument",
    "names are `file`, `--file` and `-f`",
  },
  {
    { { "--a", "--b" } },
    "`agent.args`: `--b` is a second name of the same kind",
    "an option has one long name and one letter",
  },
  {
    { { "--help" } },
    "`agent.args`: `--help` is there already: it prints the help",
  },
  {
    { { "-h", "--host" } },
    "`agent.args`: `-h` is there already: it prints the help",
  },
  {
    { {} },
    "`agent.args`: argument 1 has no name",
    [[its name comes first: `{ "--limit", "integer" }`]],
  },
  {
    { "branches" },
    "`agent.args`: argument 1 is a string",
    [[an argument is a table: `{ "--limit", "integer" }`]],
  },
  {
    { { "a", many = true }, { "b" } },
    "`agent.args`: `b` stands after `a`, which takes all there is",
  },
  {
    { { "a" }, { "b", required = true } },
    "`agent.args`: `b` is required and stands after `a`, which is not",
  },
  {
    { { "--a" }, { "a" } },
    "`agent.args`: `a` is declared twice",
  },
  {
    { { "-a", "--x" }, { "-a", "--y" } },
    "`agent.args`: `-a` is declared twice",
  },
  {
    { { "--x", "boolean", default = true }, { "--no-x" } },
    "`agent.args`: `--no-x` is declared twice",
  },
  {
    { abuot = "x" },
    "`agent.args` has no option `abuot`",
    "did you mean `about`?",
  },
  {
    { about = 7 },
    "`agent.args`: option `about` must be a string, not number",
  },
  {
    { [3] = { "--x" } },
    "`agent.args` takes named options, not the number key 3",
  },
  {
    { { "--kind", choices = { "a", "b" } } },
    "`agent.args`: `--kind` has no option `choices`",
    [[the words that it takes are its type: `{ "--kind", { "a", "b" } }`]],
  },
  {
    { { "--kind", type = "integer" } },
    "`agent.args`: `--kind` has no option `type`",
    [[the type stands after the name: `{ "--limit", "integer" }`]],
  },
  {
    { { "--kind", help = 7 } },
    "`agent.args`: `--kind`: option `help` must be a string, not number",
  },
}
for number, case in ipairs(cases) do
  local declaration, message, hint = table.unpack(case, 1, 3)
  local line
  local ok, e = pcall(function()
    line = debug.getinfo(1, "l").currentline + 1
    agent.args(declaration)
  end)
  local which = "case " .. number .. ": " .. tostring(e)
  assert(not ok and e.kind == "usage", which)
  assert(e.message == message, which)
  assert(e.hint == hint, which .. "\n" .. tostring(e.hint))
  assert(e.at == "main.lua:" .. line, which)
end
