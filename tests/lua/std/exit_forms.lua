-- Each form of `os.exit`, and where it may be called.
local function exit_of(source)
  fs.write("inner.lua", source)
  local ran = sh.run { cmd = arg_zero, args = { "run", "--quiet", "inner.lua" } }
  return ran.code, ran.stdout
end
arg_zero = "/proc/" .. fs.read("/proc/self/stat"):match("^%d+") .. "/exe"
for source, expected in pairs {
  ["os.exit()"] = 0,
  ["os.exit(true)"] = 0,
  ["os.exit(false)"] = 1,
  ["os.exit(42)"] = 42,
  ["os.exit(300)"] = 44,
  ["os.exit(-1)"] = 255,
  ["pcall(os.exit, 5)"] = 5,
  ["while true do pcall(os.exit, 6) end"] = 6,
  ["coroutine.wrap(os.exit)(8)"] = 8,
  ["agent.all { function() os.exit(9) end, function() agent.sleep(60) end }"] = 9,
  ["agent.spawn(os.exit, 10) agent.sleep(60)"] = 10,
  ["table.sort({ 2, 1 }, function() os.exit(11) end)"] = 11,
  ["os.exit(12) error('x')"] = 12,
  ["error()"] = 1,
  ["error({ code = 3 })"] = 1,
  ["agent.query { promt = 'x' }"] = 2,
  ["agent.config { concurrency = 'x' }"] = 2,
  ["fs.read 'missing'"] = 1,
} do
  local code = exit_of(source)
  assert(code == expected, source .. ": " .. code .. ", not " .. expected)
end
local code, out = exit_of([[
local guard <close> = setmetatable({}, { __close = function() agent.sleep(0.01) print("closed") end })
io.write("written ")
os.exit(3)
]])
assert(code == 3 and out == "written closed\n", out)
