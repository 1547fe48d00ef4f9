-- Our errors are tables with a kind, a message, perhaps a hint, and the script's line.
local ok, e = pcall(fs.read, "missing.txt")
assert(not ok and type(e) == "table", "an error is a table")
assert(e.kind == "io", "the kind is one of the closed set")
assert(e.message:find("cannot read `missing.txt`", 1, true), "the message names the thing")
assert(e.at:match("^main%.lua:%d+$"), "`at` is the script's own line: " .. tostring(e.at))
assert(tostring(e) == e.at .. ": io: " .. e.message, "tostring has all of it")
assert("<" .. e .. ">" == "<" .. tostring(e) .. ">", "errors can be concatenated")

---@diagnostic disable-next-line: missing-fields
ok, e = pcall(agent.query, { promt = "x" })
assert(e.kind == "usage" and e.hint == "did you mean `prompt`?", "a hint says what to do")
assert(tostring(e):find("(did you mean `prompt`?)", 1, true), "and tostring shows it")

local function helper()
  fs.read("missing.txt")
end
ok, e = pcall(helper)
local at = e.at
ok, e = pcall(error, e)
assert(e.at == at, "raising it again does not move it")

-- The twins return what can go wrong, and raise what is the script's mistake.
local value, why = fs.try_read("missing.txt")
assert(value == nil and why.kind == "io" and why.at, "try_ returns the failure")
ok, e = pcall(fs.try_read, 5)
assert(not ok and e.kind == "usage", "a wrong argument raises")
ok, e = pcall(agent.try_query, { prompt = "" })
assert(not ok and e.kind == "usage", "so does a wrong option")
ok, e = pcall(agent.try_all, { 5 })
assert(not ok and e.kind == "usage", "also in a combinator")
value, why = agent.try_all {
  function()
    error("mine", 0)
  end,
}
assert(value == nil and why == "mine", "the script's own value comes back as it is")
for _, module in ipairs { agent, git, fs, json } do
  for name, f in pairs(module) do
    if type(f) == "function" and not name:match("^try_") and name ~= "spawn" then
      assert(module["try_" .. name], "`" .. name .. "` has a twin")
    end
  end
end
