-- Lua and JSON: what cannot be kept is refused, with its place.
local function encoded(value)
  return json.encode(value)
end
for text, value in pairs {
  ["{}"] = {},
  ["[]"] = json.array {},
  ["[1,2,3]"] = { 1, 2, 3 },
  ["[1,null,3]"] = { 1, json.null, 3 },
  ['{"a":{"b":[true,false]},"z":2.5}'] = { z = 2.5, a = { b = { true, false } } },
  ["null"] = json.null,
  ['"x\\ny"'] = "x\ny",
  ["9007199254740993"] = 9007199254740993,
  ["5.0"] = 10 / 2,
  ['{"1":"a"}'] = { ["1"] = "a" },
} do
  assert(encoded(value) == text, "expected " .. text .. ", got " .. encoded(value))
end
local cycle = {}
cycle.list = { cycle }
local deep = {}
for _ = 1, 70 do
  deep = { deep }
end
for message, value in pairs {
  ["the table mixes list items with named fields (`x`)"] = { 1, 2, x = 3 },
  ["the list has a hole at 2; `json.null` fills one"] = { "a", nil, "c" },
  ["value.x[2]: inf has no JSON form"] = { x = { 1, 1 / 0 } },
  ["value.x: NaN has no JSON form"] = { x = -(0 / 0) },
  ["value.s: the string is not valid UTF-8"] = { s = "\xff" },
  ["value.a.f: a function has no JSON form"] = { a = { f = print } },
  ["value.c: a thread has no JSON form"] = { c = coroutine.create(print) },
  ["value.u: a userdata has no JSON form"] = { u = io.stdout },
  ["a boolean cannot be a key in JSON"] = { [true] = 1 },
  ["value.list[1]: the table contains itself"] = cycle,
  ["nested deeper than 64 tables"] = deep,
  ["`json.null` is for lists; leave a member out to make it null"] = { x = json.null },
} do
  local ok, e = pcall(json.encode, value)
  assert(not ok and e.kind == "usage", "refused: " .. message)
  assert(e.message:find(message, 1, true), message .. " | " .. e.message)
end

local back = json.decode('{"a":[],"b":{},"c":null,"d":[null,1.5,2],"e":18446744073709551615}')
assert(json.encode(back.a) == "[]" and json.encode(back.b) == "{}", "empty lists stay lists")
assert(back.c == nil and back.d[1] == json.null, "a null member is absent, a null item is not")
assert(math.type(back.d[2]) == "float" and math.type(back.d[3]) == "integer", "number types stay")
assert(back.e == 18446744073709551615.0, "what no integer holds is a float")
local shared = { 1 }
assert(encoded { a = shared, b = shared } == '{"a":[1],"b":[1]}', "twice is no cycle")
assert(json.encode({ a = { 1 } }, { indent = true }):find("\n  ", 1, true), "indented")
local value, why = json.try_decode("{")
assert(value == nil and why.kind == "io", "text that is no JSON is a failure of the input")
