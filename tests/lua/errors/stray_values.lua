-- Nothing internal reaches a script: what fails below Lua is an error table or Lua's own text.
local function fails(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "it has to fail")
  assert(type(e) ~= "userdata", "no stray value: " .. tostring(e))
  return e
end
local task = agent.spawn(function() end)
fails(function()
  return task[{}]
end)
fails(function()
  task.x = 1
end)
fails(function()
  return #task
end)
assert(fails(task.await).kind == "usage", "a method called with a dot")
assert(fails(task.await, 5).hint:find("colon", 1, true), "says so")
fails(string.rep, "x", -1 >> 1)
fails(("x").rep, "x", 1e10)
fails(json.decode, ("["):rep(1000))
fails(agent.sleep, {})
fails(os.exit, "x")
fails(os.exit, 1.5)
fails(require, nil)
