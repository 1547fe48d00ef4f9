-- `agent.args`: what was typed after a script, by what the script says of it. What clap does is behind
-- `read` (src/api/arguments.rs).
local agent, kit, read, nearest = ...
local usage = kit.usage
local error, exit, rawget, write = error, os.exit, rawget, io.write

-- Makes an argument that nobody declared a mistake and not nil.
local function strict(values, names)
  local known = {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  return setmetatable(values, {
    __name = "arguments",
    __index = function(_, name)
      if known[name] then
        return nil
      end
      local near = type(name) == "string" and nearest(name, names)
      usage(
        "no argument `" .. tostring(name) .. "` is declared",
        near and "did you mean `" .. near .. "`?" or "declare it in `agent.args { … }`"
      )
    end,
  })
end

-- Where the script has declared its arguments.
---@type string?
local before

function agent.args(declaration)
  -- There is none in the REPL, where one may declare again and again.
  local typed = rawget(_G, "arg")
  if before and typed then
    usage("`agent.args` was called before, at " .. before, "declare all arguments in one call")
  end
  local what, answer, names = read(declaration, typed)
  if what == "declared" then
    kit.raise(answer)
  end
  before = kit.position() or "another place"
  if what == "typed" then
    -- As it is: no line of the script is to blame.
    error(answer, 0)
  elseif what == "help" then
    write(answer)
    exit(0)
  end
  return strict(answer, names)
end

agent.try_args = kit.twin(agent.args)
