-- `agent.text` fills names in and strips what the script's own indentation added.
local function eq(actual, expected)
  assert(actual == expected, ("%q"):format(actual))
end
eq(agent.text("plain"), "plain")
eq(agent.text("${a} and ${b.c.d}", { a = 1, b = { c = { d = "deep" } } }), "1 and deep")
eq(agent.text("no $ {name} $name $${a}", { a = "x" }), "no $ {name} $name $x")
eq(
  agent.text([[
    one
      two

    three
  ]]),
  "one\n  two\n\nthree\n"
)
eq(agent.text("a\n  b\n"), "a\n  b\n")
eq(agent.text("\tone\n\ttwo"), "one\ntwo")
eq(agent.text("${x}", { x = "%1 ${y}" }), "%1 ${y}")
eq(agent.text("  list:\n  ${items}\n", { items = "- a\n- b" }), "list:\n- a\n- b\n")
for message, args in pairs {
  ["nothing is given for `${who}`"] = { "${who}" },
  ["nothing is given for `${a.b}`"] = { "${a.b}", { a = 5 } },
  ["`${1 + 1}` is not a name such as `${a.b}`"] = { "${1 + 1}", {} },
  ["argument 1 (`template`) must be a string, not nil"] = {},
  ["argument 2 (`vars`) must be a table, not string"] = { "x", "y" },
} do
  local ok, e = pcall(agent.text, table.unpack(args))
  assert(not ok and e.kind == "usage" and e.message:find(message, 1, true), tostring(e))
end
