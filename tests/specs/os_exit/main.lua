local guard <close> = setmetatable({}, {
  __close = function()
    agent.sleep(0)
    print("closed")
  end,
})
os.exit(7)
