-- exit: 7
local t = agent.spawn(agent.sleep, 60)
pcall(os.exit, 7.0)
print("never")
