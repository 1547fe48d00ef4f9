-- exit: 1
-- The script waits for what it started, and fails when that failed unseen.
agent.spawn(function()
  agent.sleep(0.02)
  print("late")
  error("nobody looked")
end)
