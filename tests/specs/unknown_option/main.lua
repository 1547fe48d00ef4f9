local function ask()
  local outcome = agent.query { promt = "x" }
  return outcome
end
ask()
