-- `print`, `io.write` and `io.stdout:write` come out in one order.
fs.write(
  "inner.lua",
  [[
print("a", nil, 1.0, true)
io.write("b", 1, " ", 2.5, "\n")
io.stdout:write("c"):write("d\n")
os.execute("echo e; echo x >&2")
print(setmetatable({}, { __tostring = function() return "f" end }))
print()
local file = assert(io.open("out.txt", "w"))
io.output(file)
io.write("to the file")
io.output(io.stdout)
file:close()
io.write("g\n")
print(pcall(io.write, {}))
print(pcall(print, setmetatable({}, { __tostring = function() return {} end })))
]]
)
local exe = "/proc/" .. fs.read("/proc/self/stat"):match("^%d+") .. "/exe"
local ran = sh.run { cmd = exe, args = { "run", "inner.lua" } }
local expected = [[
a	nil	1.0	true
b1 2.5
cd
e
f

g
false	bad argument #1 to 'write' (string expected, got table)
false	'__tostring' must return a string
]]
assert(ran.stdout == expected, ran.stdout .. ran.stderr)
assert(fs.read("out.txt") == "to the file", "a redirected output is respected")
assert(ran.stderr == "x\n", ran.stderr)
