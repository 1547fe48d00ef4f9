-- `sh`: looking is data, `sh.check` raises, `sh.run` has no shell.
local result = sh("cat; echo $GREETING; pwd", {
  stdin = "in ",
  env = { GREETING = "hello" },
  cwd = "/",
})
assert(result.ok and result.code == 0 and result.stdout == "in hello\n/\n", result.stdout)
local ok, e = pcall(sh.check, "echo to stdout; echo to stderr >&2; exit 4")
assert(not ok and e.kind == "tool", "a failed check raises")
assert(e.message:find("failed with exit code 4: to stderr", 1, true), e.message)
assert(sh.check("true").ok, "a good one returns the result")
ok, e = pcall(sh, "sleep 60", { timeout = 0.05 })
assert(not ok and e.kind == "timeout", "a time limit raises")
result = sh.run { cmd = "printf", args = { "%s|", "a b", "$HOME", "*" } }
assert(result.stdout == "a b|$HOME|*|", "no shell in between: " .. result.stdout)
result = sh("kill -9 $$")
assert(not result.ok and result.code == nil, "ended by a signal: no exit code")
local value, why = sh.try_run { cmd = "no-such-program" }
assert(
  value == nil and why.kind == "io" and why.message:find("no-such-program", 1, true),
  why.message
)
for _, bad in ipairs {
  { sh, "" },
  { sh, 5 },
  { sh, "true", { cwd = "nowhere" } },
  { sh, "true", { tiemout = 1 } },
  { sh.run, { args = {} } },
  { sh.run, { cmd = "true", args = "x" } },
} do
  ok, e = pcall(table.unpack(bad))
  assert(not ok and e.kind == "usage", "refused: " .. tostring(e))
end
assert(#sh("head -c 3000000 /dev/zero").stdout == 3000000, "long output is whole")
assert(sh("printf '\\377\\000x'").stdout == "\xff\0x", "bytes stay bytes")
