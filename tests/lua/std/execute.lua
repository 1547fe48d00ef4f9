-- `os.execute` and `sh` wait without holding up other tasks.
local order = {}
agent.all {
  function()
    assert(os.execute("sleep 0.2"))
    order[#order + 1] = "command"
  end,
  function()
    agent.sleep(0.01)
    order[#order + 1] = "task"
  end,
}
assert(table.concat(order, " ") == "task command", table.concat(order, " "))
assert(os.execute() == true, "there is a shell")
local ok, how, code = os.execute("exit 3")
assert(ok == nil and how == "exit" and code == 3, "as Lua returns it")
ok, how, code = os.execute("kill -9 $$")
assert(ok == nil and how == "signal" and code == 9, tostring(how) .. " " .. tostring(code))
