-- After a cancellation `<close>` handlers run like any other code: they wait, fail and catch.
local log = {}
local function note(text)
  log[#log + 1] = text
end
local function on_close(f)
  return setmetatable({}, { __close = f })
end
local ok, e = pcall(agent.timeout, 0.02, function()
  local outer <close> = on_close(function()
    note("outer")
  end)
  local inner <close> = on_close(function(_, why)
    note(why.kind)
    agent.sleep(0.02)
    note("waited")
    local read, failure = pcall(fs.read, "missing")
    note(tostring(read) .. " " .. failure.kind)
    note(tostring(fs.try_read("missing")))
    local resumed = coroutine.resume(coroutine.create(error))
    note(tostring(resumed))
    note(sh("echo shell").stdout:gsub("\n", ""))
  end)
  agent.sleep(60)
end)
assert(not ok and e.kind == "timeout", tostring(e))
local expected = "timeout, waited, false io, nil, false, shell, outer"
assert(table.concat(log, ", ") == expected, table.concat(log, ", "))
