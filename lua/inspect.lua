-- Values as text that a person reads: sorted keys, cycles named, depth and length bounded. `leaf`, if
-- given, is asked first about every value: the text that it returns stands for the value.
local MAX_DEPTH, MAX_ITEMS, WIDTH = 6, 100, 78

---@type fun(value: any, seen: table, depth: integer, indent: string, leaf?: function): string
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

local function parts_of(t, seen, depth, indent, leaf)
  local parts, list = {}, rawlen(t)
  for i = 1, math.min(list, MAX_ITEMS) do
    parts[i] = show(rawget(t, i), seen, depth + 1, indent .. "  ", leaf)
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
      .. show(rawget(t, key), seen, depth + 1, indent .. "  ", leaf)
  end
  if #keys > MAX_ITEMS then
    parts[#parts + 1] = "… " .. (#keys - MAX_ITEMS) .. " more"
  end
  return parts
end

-- What turns the order of letters round has no place on a screen.
local function quoted(text)
  text = string.format("%q", text):gsub("\\\n", "\\n")
  return (
    text:gsub("\xE2[\x80\x81][\xA6-\xAE]", function(letter)
      local code = utf8.codepoint(letter)
      local steers = (code >= 0x202A and code <= 0x202E) or (code >= 0x2066 and code <= 0x2069)
      return steers and string.format("\\u{%X}", code) or nil
    end)
  )
end

function show(value, seen, depth, indent, leaf)
  local kind, own = type(value), leaf and leaf(value, depth)
  if own then
    return own
  elseif kind == "string" then
    return quoted(value)
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
  local parts = parts_of(value, seen, depth, indent, leaf)
  seen[value] = nil
  if #parts == 0 then
    return "{}"
  end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #indent + (utf8.len(line) or #line) <= WIDTH and not line:find("\n") then
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

return function(value, leaf)
  return show(value, {}, 0, "", leaf)
end
