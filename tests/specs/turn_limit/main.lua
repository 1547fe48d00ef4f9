local busy = agent.model {
  name = "busy",
  reply = function()
    return { tools = { { name = "Glob", input = { pattern = "*" } } } }
  end,
}
agent.query { prompt = "for ever", model = busy, max_turns = 3, cwd = "." }
