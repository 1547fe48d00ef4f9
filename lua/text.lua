-- `agent.text`: a template with `${name}` and `${a.b}`, its common indentation stripped.
local agent, kit = ...
local usage = kit.usage

-- Removes what all lines with text have in front, and the blank first and last line of a long
-- string.
local function dedent(text)
  text = text:gsub("^[ \t]*\n", ""):gsub("\n[ \t]*$", "\n")
  local common
  for line in text:gmatch("[^\n]+") do
    local indent = line:match("^([ \t]*)[^ \t]")
    if indent then
      if not common then
        common = indent
      else
        local same = 0
        while same < #common and common:byte(same + 1) == indent:byte(same + 1) do
          same = same + 1
        end
        common = common:sub(1, same)
      end
    end
  end
  if not common or common == "" then
    return text
  end
  local width = #common
  return (
    ("\n" .. text)
      :gsub("\n([^\n]*)", function(line)
        return "\n"
          .. (line:sub(1, width) == common and line:sub(width + 1) or line:gsub("^[ \t]+", ""))
      end)
      :sub(2)
  )
end

local function lookup(vars, name)
  local value = vars
  for part in name:gmatch("[^.]+") do
    if type(value) ~= "table" then
      return nil
    end
    value = value[part]
  end
  return value
end

local function fill(text, vars)
  return (
    text:gsub("%${([^}]*)}", function(name)
      if not name:match("^[%a_][%w_]*[%w_.]*$") then
        usage("`agent.text`: `${" .. name .. "}` is not a name such as `${a.b}`")
      end
      local value = lookup(vars, name)
      if value == nil then
        usage("`agent.text`: nothing is given for `${" .. name .. "}`")
      end
      return tostring(value)
    end)
  )
end

function agent.text(template, vars)
  if type(template) ~= "string" then
    usage("`agent.text`: argument 1 (`template`) must be a string, not " .. type(template))
  end
  if vars ~= nil and type(vars) ~= "table" then
    usage("`agent.text`: argument 2 (`vars`) must be a table, not " .. type(vars))
  end
  return fill(dedent(template), vars or {})
end

agent.try_text = kit.twin(agent.text)
