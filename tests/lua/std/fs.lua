-- `fs`: bytes in, bytes out, errors that name the path.
fs.mkdir("a/b/c")
fs.mkdir("a/b/c")
fs.write("a/file", "one\0\xff\r\n")
assert(fs.read("a/file") == "one\0\xff\r\n", "bytes stay bytes")
fs.append("a/file", "two")
fs.append("a/new", "x")
assert(#fs.read("a/file") == 10 and fs.read("a/new") == "x", "append makes a file if need be")
assert(fs.exists("a") and fs.exists("a/file") and not fs.exists("a/none"), "exists")
assert(table.concat(fs.list("a"), " ") == "b file new", table.concat(fs.list("a"), " "))
fs.write("a/b/x.lua", "")
fs.write("a/b/c/y.lua", "")
local found = fs.glob("a/**/*.lua")
assert(table.concat(found, " ") == "a/b/c/y.lua a/b/x.lua", table.concat(found, " "))
assert(json.encode(fs.list("a/b/c")) == '["y.lua"]', "lists are lists")
fs.remove("a/b/c/y.lua")
assert(json.encode(fs.list("a/b/c")) == "[]", "also empty ones")
local ok, e = pcall(fs.remove, "a")
assert(not ok and e.kind == "io", "a folder that is not empty stays")
fs.remove("a", { recursive = true })
assert(not fs.exists("a"), "unless it is asked for")
for name, args in pairs {
  read = { "no/such" },
  write = { "no/such", "x" },
  append = { "no/such", "x" },
  list = { "no/such" },
  remove = { "no/such" },
} do
  local value, why = fs["try_" .. name](table.unpack(args))
  assert(value == nil and why.kind == "io", name .. " fails with a kind")
  assert(why.message:find("`no/such`", 1, true), name .. " names the path: " .. why.message)
end
---@diagnostic disable-next-line: missing-parameter
assert(not pcall(fs.read, 5) and not pcall(fs.write, "x"), "arguments are checked")
