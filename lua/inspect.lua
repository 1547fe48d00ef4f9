-- Values as text that a person reads: sorted keys, cycles named, depth and length bounded.
local MAX_DEPTH, MAX_ITEMS, WIDTH = 6, 100, 78

---@type fun(value: any, seen: table, depth: integer, indent: string): string
local show

local function show_key(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") then
    return key
  end
  return "[" .. show(key, {}, MAX_DEPTH, "") .. "]"
end

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then
    return ta < tb
  end
  if ta == "number" or ta == "string" then
    return a < b
  end
  return tostring(a) < tostring(b)
end

local function parts_of(t, seen, depth, indent)
  local parts, list = {}, rawlen(t)
  for i = 1, math.min(list, MAX_ITEMS) do
    parts[i] = show(rawget(t, i), seen, depth + 1, indent .. "  ")
  end
  if list > MAX_ITEMS then
    parts[#parts + 1] = "… " .. (list - MAX_ITEMS) .. " more"
  end
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= list) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, before)
  for i = 1, math.min(#keys, MAX_ITEMS) do
    local key = keys[i]
    parts[#parts + 1] = show_key(key)
      .. " = "
      .. show(rawget(t, key), seen, depth + 1, indent .. "  ")
  end
  if #keys > MAX_ITEMS then
    parts[#parts + 1] = "… " .. (#keys - MAX_ITEMS) .. " more"
  end
  return parts
end

function show(value, seen, depth, indent)
  local kind = type(value)
  if kind == "string" then
    return (string.format("%q", value):gsub("\\\n", "\\n"))
  elseif kind ~= "table" then
    return tostring(value)
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring and meta.__name ~= "diff" then
    return tostring(value)
  elseif seen[value] then
    return "<cycle>"
  elseif depth >= MAX_DEPTH then
    return "{…}"
  end
  seen[value] = true
  local parts = parts_of(value, seen, depth, indent)
  seen[value] = nil
  if #parts == 0 then
    return "{}"
  end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #indent + #line <= WIDTH and not line:find("\n") then
    return line
  end
  return "{\n"
    .. indent
    .. "  "
    .. table.concat(parts, ",\n" .. indent .. "  ")
    .. ",\n"
    .. indent
    .. "}"
end

return function(value)
  return show(value, {}, 0, "")
end
