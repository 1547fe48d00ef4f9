-- A message handler cannot wait, and an error in one does not hide that something failed.
local ok = xpcall(error, function()
  agent.sleep(0)
end, "boom")
assert(not ok, "the call has failed")
ok = xpcall(error, function()
  error("again")
end, "boom")
assert(not ok, "also when its handler fails")
local seen
ok = xpcall(error, function(e)
  seen = e
  return "handled"
end, "boom")
assert(not ok and seen == "boom", "a handler gets the value")
ok = select(
  2,
  xpcall(function()
    error("boom")
  end, debug.traceback)
)
assert(ok:find("main.lua:%d+: boom") and ok:find("stack traceback:", 1, true), ok)
