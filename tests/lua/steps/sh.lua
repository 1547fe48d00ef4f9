-- `once` keeps the result of a command; within one life an id is run once as well.
local first = sh("echo x >> count; printf 'a\\377b'; echo oops >&2; exit 3", { once = "count" })
local again = sh("echo x >> count; printf 'a\\377b'; echo oops >&2; exit 3", { once = "count" })
for _, result in ipairs { first, again } do
  assert(result.code == 3 and not result.ok and result.stderr == "oops\n")
  assert(result.stdout == "a\xffb", "bytes stay what they are")
end
assert(fs.read("count") == "x\n")
-- Another command under that id is run.
assert(sh("wc -l < count", { once = "count" }).stdout:find("1"))
-- Two calls are two places.
for _ = 1, 2 do
  sh.run { cmd = "sh", args = { "-c", "echo y >> twice" }, once = true }
end
assert(fs.read("twice") == "y\ny\n")
-- What fails is not kept by `sh.check`.
assert(sh.try_check("echo z >> thrice; exit 1", { once = "z" }) == nil)
assert(sh.try_check("echo z >> thrice; exit 1", { once = "z" }) == nil)
assert(fs.read("thrice") == "z\nz\n")
-- Callers at one time share the one run.
local function slow()
  return sh("echo w >> shared; sleep 0.05", { once = "shared" })
end
agent.all { slow, slow, slow }
assert(fs.read("shared") == "w\n")
for value, why in pairs { [""] = "is empty", [1] = "must be true, false or an id" } do
  local ok, e = pcall(sh, "true", { once = value })
  assert(not ok and e.message:find(why, 1, true), tostring(e))
end
assert(sh("echo v >> never", { once = false }).ok)
