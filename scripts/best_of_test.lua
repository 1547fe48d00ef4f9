-- agentlua test scripts
local test = require "agentlua.test"

-- Every try writes what its label says; the judge looks for the best of them in what it is shown.
local model = [[
return agent.model {
  name = "player",
  reply = function(request)
    local judged = request.prompt:find "Which of their changes would you merge?"
    if judged then
      local number = request.prompt:match "## (%d+)\n[^#]*%+try 2"
      return number .. "\nIt is the second try."
    elseif request.turn == 2 then
      return "Done."
    end
    local command = "git rev-parse --git-dir | sed 's|.*-||' > id && echo 'try N' > answer"
    return { tools = { { name = "Bash", input = { command = command } } } }
  end,
}
]]

test.case("the judge's choice stays, the others go", function(t) end)
