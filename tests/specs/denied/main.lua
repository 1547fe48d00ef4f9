-- flags: --strict
local model = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return {
        tools = {
          { name = "Bash", input = { command = "git log; rm -rf /" } },
          { name = "Bash", input = { command = "echo fine" } },
          { name = "Write", input = { file_path = "x", content = "x" } },
        },
      }
    end
    for _, result in ipairs(request.results) do
      print(result.name, result.is_error, result.content)
    end
    return "done"
  end,
}
local outcome =
  agent.query { prompt = "x", model = model, allowed_tools = { "Bash(echo *)", "Bash(git log *)" } }
print(outcome.ok, #outcome.permission_denials, outcome.permission_denials[1].tool_input.command)
