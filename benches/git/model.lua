-- A model that does one thing in each of N turns: `write N`, `bash N`, `look N`, `commit N`.
-- It thinks first: within the second in which a file was made git cannot tell whether it has changed.
local FIRST = 1.1

local INPUT = {
  write = function(turn)
    return {
      name = "Write",
      input = { file_path = "out/" .. turn .. ".txt", content = turn .. "\n" },
    }
  end,
  bash = function(turn)
    local command = "mkdir -p out && echo " .. turn .. " >out/" .. turn .. ".txt"
    return { name = "Bash", input = { command = command } }
  end,
  look = function()
    return { name = "Bash", input = { command = "true" } }
  end,
  commit = function(turn)
    local command = "mkdir -p out && echo " .. turn .. " >out/" .. turn .. ".txt"
    command = command .. " && git add -A && git commit --quiet -m 'turn " .. turn .. "'"
    return { name = "Bash", input = { command = command } }
  end,
}

return agent.model {
  reply = function(request)
    local what, turns = request.prompt:match("^(%a+) (%d+)$")
    for _, result in ipairs(request.results or {}) do
      assert(not result.is_error, result.content)
    end
    if request.turn > math.tointeger(turns) then
      return "done"
    elseif request.turn == 1 then
      agent.sleep(FIRST)
    end
    return { tools = { INPUT[what](request.turn) } }
  end,
}
