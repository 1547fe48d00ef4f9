-- Whether two values are the same all the way down, and where they are not: `agentlua.test`.
---@type fun(value: any): string
local inspect = ...

-- What is shown at most: places in tables, lines of a difference, unchanged lines around a change.
local MAX_PLACES, MAX_LINES, CONTEXT = 8, 60, 2
-- Beyond this the shortest difference costs too much to find.
local MAX_CELLS = 250000
-- A longer value in one line is shown around the place where it begins to differ.
local WIDTH = 160

local function is_same(a, b)
  return rawequal(a, b) or a == b or (a ~= a and b ~= b)
end

local function segment(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") then
    return "." .. key
  end
  return "[" .. inspect(key) .. "]"
end

-- Keys of both tables, in the order in which people read them.
local function keys_of(a, b)
  local keys, known = {}, {}
  for _, t in ipairs { b, a } do
    for key in next, t do
      if not known[key] then
        known[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  table.sort(keys, function(x, y)
    local tx, ty = type(x), type(y)
    if tx ~= ty then
      return tx < ty
    elseif tx == "number" or tx == "string" then
      return x < y
    end
    return tostring(x) < tostring(y)
  end)
  return keys
end

-- Notes the places where `actual` and `expected` differ. Tables that are being compared already are
-- taken for the same, so that cycles end.
local function compare(actual, expected, path, compared, places)
  if is_same(actual, expected) then
    return
  elseif type(actual) ~= "table" or type(expected) ~= "table" then
    places[#places + 1] = { path = path, actual = actual, expected = expected }
    return
  end
  local against = compared[actual] or {}
  compared[actual] = against
  if against[expected] then
    return
  end
  against[expected] = true
  for _, key in ipairs(keys_of(actual, expected)) do
    local here = path .. segment(key)
    compare(rawget(actual, key), rawget(expected, key), here, compared, places)
    if #places > MAX_PLACES then
      return
    end
  end
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

-- The lengths of the longest common subsequences of what follows each pair of lines.
local function common(a, b)
  local lengths = {}
  for i = #a + 1, 1, -1 do
    lengths[i] = {}
    for j = #b + 1, 1, -1 do
      if i > #a or j > #b then
        lengths[i][j] = 0
      elseif a[i] == b[j] then
        lengths[i][j] = lengths[i + 1][j + 1] + 1
      else
        lengths[i][j] = math.max(lengths[i + 1][j], lengths[i][j + 1])
      end
    end
  end
  return lengths
end

-- What leads from `a` to `b`: `{ sign, line }` each.
local function edits(a, b)
  local steps = {}
  local function step(sign, line)
    steps[#steps + 1] = { sign, line }
  end
  local lengths = #a * #b <= MAX_CELLS and common(a, b)
  local i, j = 1, 1
  while i <= #a or j <= #b do
    if a[i] == b[j] then
      step(" ", a[i])
      i, j = i + 1, j + 1
    elseif i <= #a and (j > #b or not lengths or lengths[i + 1][j] >= lengths[i][j + 1]) then
      step("-", a[i])
      i = i + 1
    else
      step("+", b[j])
      j = j + 1
    end
  end
  return steps
end

-- The difference of two texts by lines: changes with a little around them.
local function by_lines(expected, actual)
  local steps = edits(lines_of(expected), lines_of(actual))
  local near = {}
  for i, step in ipairs(steps) do
    if step[1] ~= " " then
      for k = i - CONTEXT, i + CONTEXT do
        near[k] = true
      end
    end
  end
  local shown, left_out, gap = { "- expected", "+ actual" }, 0, false
  for i, step in ipairs(steps) do
    if not near[i] then
      gap = true
    elseif #shown >= MAX_LINES then
      left_out = left_out + 1
    else
      if gap then
        shown[#shown + 1] = "  …"
        gap = false
      end
      shown[#shown + 1] = step[1] .. " " .. step[2]
    end
  end
  if left_out > 0 then
    shown[#shown + 1] = "  … " .. left_out .. " more lines"
  end
  return table.concat(shown, "\n")
end

-- Two values in a line each, cut to where they begin to differ.
local function side_by_side(expected, actual)
  local first = 1
  while first <= #expected and expected:byte(first) == actual:byte(first) do
    first = first + 1
  end
  local from = math.max(1, first - WIDTH // 2)
  local function cut(text)
    if #text <= WIDTH then
      return text
    end
    -- A cut character is no character.
    local piece = text:sub(from, from + WIDTH - 1)
    piece = piece:gsub("^[\x80-\xbf]+", ""):gsub("[\xc0-\xff][\x80-\xbf]*$", "")
    return (from > 1 and "…" or "") .. piece .. (from + WIDTH <= #text and "…" or "")
  end
  return "expected: " .. cut(expected) .. "\n  actual: " .. cut(actual)
end

local function shown(value)
  return value == nil and "nothing" or (inspect(value):gsub("%s*\n%s*", " "))
end

local function by_place(places)
  local lines = {}
  for i = 1, math.min(#places, MAX_PLACES) do
    local place = places[i]
    local actual, expected = shown(place.actual), shown(place.expected)
    if #actual + #expected <= WIDTH then
      lines[#lines + 1] = "at "
        .. place.path:gsub("^%.", "")
        .. ": "
        .. actual
        .. " instead of "
        .. expected
    else
      lines[#lines + 1] = "at " .. place.path:gsub("^%.", "")
    end
  end
  if #places > MAX_PLACES then
    lines[#lines + 1] = "and at more places"
  end
  return table.concat(lines, "\n")
end

local function is_text(value)
  return type(value) == "string" and value:find("\n", 1, true) ~= nil
end

-- Returns nothing for values that are the same, else how they differ, in lines.
return function(actual, expected)
  local places = {}
  compare(actual, expected, "", {}, places)
  if #places == 0 then
    return nil
  elseif type(actual) == "string" and type(expected) == "string" then
    if is_text(actual) or is_text(expected) then
      return by_lines(expected, actual)
    end
    return side_by_side(inspect(expected), inspect(actual))
  end
  local left, right = inspect(expected), inspect(actual)
  local whole
  if left == right then
    -- They differ deeper than values are shown, or are two of what cannot be shown.
    whole = "both are shown as " .. (#left > WIDTH and "the same text" or left)
  elseif left:find("\n", 1, true) or right:find("\n", 1, true) then
    whole = by_lines(left, right)
  else
    whole = side_by_side(left, right)
  end
  return places[1].path == "" and whole or whole .. "\n" .. by_place(places)
end
