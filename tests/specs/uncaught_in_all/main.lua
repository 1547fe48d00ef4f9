-- The value is the script's own, the report says which item it came through.
local function deep()
  error("the sky fell")
end
agent.all {
  auth = function()
    deep()
  end,
  billing = function()
    agent.sleep(60)
  end,
}
