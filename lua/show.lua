-- Results as the REPL shows them: an outcome as a short table, lists of results as rows, a diff as its
-- patch, and everything else as Lua would write it. `look` holds what a screen needs (src/vm/session.rs).
---@type (fun(value: any, leaf?: function): string), table, table
local inspect, kit, look = ...
local is_result, Error = kit.is_result, kit.Error
---@type table<string, string>
local style = look.styles

-- What is shown at most: rows of a table, lines of a patch or of a text, bytes of a string, paths.
local MAX_ROWS, MAX_PATCH, MAX_LINES, MAX_STRING, MAX_PATHS = 200, 400, 8, 4000, 6

local function paint(name, text)
  return style[name] .. text .. style.reset
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    lines[#lines + 1] = line
  end
  if lines[#lines] == "" then
    lines[#lines] = nil
  end
  return lines
end

---@return string?
local function kind_of(value)
  local meta = type(value) == "table" and getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and is_result(value, name) and name or nil
end

-- Cells -------------------------------------------------------------------------------------------

local function yes(flag)
  return flag and "yes" or ""
end

local function words(list)
  local parts = {}
  for i, item in ipairs(list) do
    parts[i] = type(item) == "table" and (rawget(item, "path") or "…") or tostring(item)
  end
  return table.concat(parts, ", ")
end

local function day(seconds)
  return os.date("%Y-%m-%d %H:%M", math.tointeger(seconds) or math.floor(seconds))
end

local function ago(seconds)
  local span = math.max(0, os.time() - math.floor(seconds))
  if span < 60 then
    return span .. "s ago"
  elseif span < 3600 then
    return span // 60 .. "m ago"
  end
  return span < 86400 and span // 3600 .. "h ago" or span // 86400 .. "d ago"
end

-- How fields look, where that is not as they are.
local FORMATS = {
  additions = function(n)
    return "+" .. n
  end,
  deletions = function(n)
    return "-" .. n
  end,
  cost_usd = look.money,
  files_changed = function(paths)
    return tostring(#paths)
  end,
  since = ago,
  time = day,
  total_cost_usd = look.money,
}

local TITLES = {
  a = "BRANCH",
  additions = "ADDED",
  author_name = "AUTHOR",
  b = "AND",
  cost_usd = "COST",
  deletions = "REMOVED",
  files_changed = "FILES",
  head_ref = "BRANCH",
  in_use = "IN USE",
  num_turns = "TURNS",
  subtype = "STATUS",
  total_cost_usd = "COST",
}

-- The fields that stand in the rows of a kind of result; the last one takes the room that is left.
local ROWS = {
  agent = { "id", "status", "branch", "since", "turns", "cost_usd", "label" },
  branch = { "current", "name", "commit", "upstream", "worktree" },
  clash = { "a", "b", "paths" },
  commit = { "id", "time", "author_name", "subject" },
  conflict = { "branch", "into", "paths" },
  ["diff flag"] = { "flag", "path" },
  ["file diff"] = { "status", "additions", "deletions", "path" },
  ["file status"] = { "staged", "unstaged", "untracked", "conflicted", "path" },
  issue = { "number", "state", "author", "labels", "title" },
  ["merge of a branch"] = { "branch", "status", "commit", "message" },
  outcome = { "id", "subtype", "branch", "files_changed", "num_turns", "total_cost_usd", "result" },
  pull = { "number", "state", "author", "head_ref", "title" },
  ["ref change"] = { "status", "ref", "old", "new" },
  ["settled item"] = { "subtype", "branch", "num_turns", "total_cost_usd", "result" },
  ["worktree entry"] = { "branch", "head", "agent", "in_use", "path" },
}

local function cell(field, value)
  if value == nil then
    return ""
  elseif FORMATS[field] then
    return FORMATS[field](value)
  elseif type(value) == "boolean" then
    return yes(value)
  elseif type(value) == "table" then
    return words(value)
  elseif type(value) == "string" and #value >= 40 and not value:find("%X") then
    return value:sub(1, 10)
  end
  return tostring(value)
end

-- What a settled item has in a column: of its outcome, and the error for a result.
local function settled_field(item, field)
  local outcome, e = rawget(item, "outcome"), rawget(item, "error")
  if field == "subtype" then
    local ended = rawget(item, "ok") and "success" or "failed"
    return outcome and rawget(outcome, field) or ended
  elseif field ~= "result" then
    return outcome and rawget(outcome, field)
  elseif e ~= nil then
    return getmetatable(e) == Error and e.message or tostring(e)
  elseif outcome then
    return rawget(outcome, field)
  end
  local value = rawget(item, "value")
  return type(value) == "string" and value or value ~= nil and inspect(value) or nil
end

-- Tables ------------------------------------------------------------------------------------------

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then
    return ta < tb
  elseif ta == "number" or ta == "string" then
    return a < b
  end
  return tostring(a) < tostring(b)
end

local function sorted_keys(t)
  local keys = {}
  for key in next, t do
    keys[#keys + 1] = key
  end
  table.sort(keys, before)
  return keys
end

local function colour_of(text)
  if text == "success" or text == "merged" or text == "completed" or text == "fast_forward" then
    return "green"
  elseif text == "running" or text == "queued" or text == "waiting" or text == "up_to_date" then
    return "dim"
  end
  return "red"
end

-- Rows in columns that fit the screen: first the last column gives way, then the widest ones.
local function aligned(rows, status)
  local widths, count = {}, #rows[1]
  for _, row in ipairs(rows) do
    for i = 1, count do
      row[i] = look.line(row[i])
      widths[i] = math.max(widths[i] or 0, look.width(row[i]))
    end
  end
  ---@type integer
  local room = look.columns() - 1 - 2 * (count - 1)
  for i = 1, count do
    room = room - widths[i]
  end
  if room < 0 then
    local last = math.max(math.min(widths[count], 16), widths[count] + room)
    room, widths[count] = room + widths[count] - last, last
  end
  ---@cast room integer
  while room < 0 do
    local widest = 1
    for i = 2, count do
      widest = widths[i] > widths[widest] and i or widest
    end
    if widths[widest] <= 8 then
      break
    end
    widths[widest] = widths[widest] - 1
    room = room + 1
  end
  local lines = {}
  for at, row in ipairs(rows) do
    local cells = {}
    for i = 1, count do
      local text = look.cut(row[i], widths[i])
      local pad = i < count and (" "):rep(widths[i] - look.width(text)) or ""
      if at > 1 and i == status and text ~= "" then
        text = paint(colour_of(row[i]), text)
      end
      cells[i] = text .. pad
    end
    local line = table.concat(cells, "  "):gsub("%s+$", "")
    lines[at] = at == 1 and paint("dim", line) or line
  end
  return table.concat(lines, "\n")
end

-- Returns rows with the fields that any of them has. `read(item, field)` returns a field's value.
local function rows_of(items, keys, fields, read)
  local used, status = {}, nil
  for _, field in ipairs(fields) do
    for _, key in ipairs(keys) do
      if read(items[key], field) ~= nil then
        used[#used + 1] = field
        break
      end
    end
  end
  local head = { type(keys[1]) == "string" and "KEY" or "#" }
  for i, field in ipairs(used) do
    head[i + 1] = TITLES[field] or field:upper():gsub("_", " ")
    status = (field == "status" or field == "subtype") and i + 1 or status
  end
  local rows = { head }
  for at = 1, math.min(#keys, MAX_ROWS) do
    local row = { tostring(keys[at]) }
    for i, field in ipairs(used) do
      local text = cell(field, read(items[keys[at]], field))
      row[i + 1] = text:match("^%s*([^\n]*)")
    end
    rows[#rows + 1] = row
  end
  local text = aligned(rows, status)
  if #keys > MAX_ROWS then
    text = text .. "\n" .. paint("dim", "… " .. #keys - MAX_ROWS .. " more")
  end
  return text
end

-- Returns the kind of result that a table holds, if it holds nothing else.
local function kind_of_all(items)
  local kind
  for _, item in next, items do
    local this = kind_of(item)
    if not this or not ROWS[this] or (kind and this ~= kind) then
      return nil
    end
    kind = this
  end
  return kind
end

-- Returns the fields of rows that the script made: tables of the same plain fields.
local function fields_of_all(items)
  local fields = {}
  for i, item in ipairs(items) do
    if type(item) ~= "table" or getmetatable(item) ~= nil or item[1] ~= nil then
      return nil
    end
    local these = sorted_keys(item)
    for _, field in ipairs(these) do
      local kind = type(rawget(item, field))
      if type(field) ~= "string" or kind == "table" or kind == "function" then
        return nil
      end
    end
    if i > 1 and table.concat(these, "\0") ~= table.concat(fields, "\0") then
      return nil
    end
    fields = these
  end
  return #fields > 1 and fields or nil
end

local function listed(items)
  local meta = getmetatable(items)
  if type(meta) == "table" and meta.__tostring then
    return nil
  end
  local kind = kind_of_all(items)
  local read = kind == "settled item" and settled_field or rawget
  return kind and rows_of(items, sorted_keys(items), ROWS[kind], read)
end

-- Rows that the script made are shown so only where they would not fit on a line.
local function as_rows(items)
  local count = rawlen(items)
  if count < 2 or next(items, count) ~= nil then
    return nil
  end
  local fields = fields_of_all(items)
  return fields and rows_of(items, sorted_keys(items), fields, rawget)
end

-- Single results ----------------------------------------------------------------------------------

-- Returns the first lines of a text, each within the screen.
local function excerpt(text, indent, most)
  local lines, shown = lines_of(text), {}
  for i = 1, math.min(#lines, most) do
    local line = look.line((lines[i]:gsub("\t", "    ")))
    shown[i] = indent .. look.cut(line, look.columns() - 1 - #indent)
  end
  if #lines > most then
    shown[#shown + 1] = indent .. paint("dim", "… " .. #lines - most .. " more lines")
  end
  return table.concat(shown, "\n")
end

local function some_paths(paths)
  local text = table.concat(paths, ", ", 1, math.min(#paths, MAX_PATHS))
  return #paths > MAX_PATHS and text .. " and " .. #paths - MAX_PATHS .. " more" or text
end

local function facts(rows)
  local lines = {}
  for _, row in ipairs(rows) do
    local name, text = row[1], row[2]
    if text and text ~= "" then
      local line = look.cut(look.line(text), math.max(look.columns() - 12, 20))
      lines[#lines + 1] = "  " .. paint("dim", name .. (" "):rep(8 - #name)) .. " " .. line
    end
  end
  return lines
end

local function effort_of(outcome)
  local usage, turns = rawget(outcome, "usage"), rawget(outcome, "num_turns") or 0
  local parts = { turns .. (turns == 1 and " turn" or " turns") }
  parts[#parts + 1] = look.duration(math.tointeger(rawget(outcome, "duration_ms")) or 0)
  if usage then
    local taken = (usage.input_tokens or 0)
      + (usage.cache_read_input_tokens or 0)
      + (usage.cache_creation_input_tokens or 0)
    local tokens = look.count(taken) .. " in, " .. look.count(usage.output_tokens or 0) .. " out"
    parts[#parts + 1] = tokens
  end
  return table.concat(parts, ", ")
end

local results = {}
---@type fun(value: any): string
local show

function results.outcome(outcome)
  local status = rawget(outcome, "subtype") or "?"
  local good, branch, label = outcome.ok, outcome.branch, outcome.label
  local lines = facts {
    { "label", label ~= branch and label or nil },
    { "branch", branch },
    { "worktree", rawget(outcome, "worktree_path") },
    { "files", some_paths(rawget(outcome, "files_changed") or {}) },
    { "turns", effort_of(outcome) },
    { "cost", rawget(outcome, "total_cost_usd") and look.money(outcome.total_cost_usd) },
    {
      "denied",
      #(rawget(outcome, "permission_denials") or {}) > 0
        and #outcome.permission_denials
          .. (#outcome.permission_denials == 1 and " call" or " calls"),
    },
  }
  table.insert(
    lines,
    1,
    paint("bold", rawget(outcome, "id") or "?") .. "  " .. paint(good and "green" or "red", status)
  )
  local merges, structured = rawget(outcome, "merges"), rawget(outcome, "structured_output")
  if merges then
    lines[#lines + 1] = show(merges)
  end
  if structured ~= nil then
    lines[#lines + 1] = show(structured)
  elseif rawget(outcome, "result") and outcome.result ~= "" then
    lines[#lines + 1] = excerpt(outcome.result, "  ", MAX_LINES)
  end
  return table.concat(lines, "\n")
end

results["settled item"] = function(item)
  local outcome, e = rawget(item, "outcome"), rawget(item, "error")
  local parts = {}
  if e ~= nil then
    parts[1] = show(e)
  end
  if outcome then
    parts[#parts + 1] = results.outcome(outcome)
  elseif e == nil then
    parts[1] = show(rawget(item, "value"))
  end
  return table.concat(parts, "\n")
end

function results.diff(diff)
  local patch = rawget(diff, "patch")
  if patch == "" then
    return paint("dim", "no difference")
  end
  local lines = lines_of(patch)
  if #lines <= MAX_PATCH then
    return (look.patch(patch):gsub("\n$", ""))
  end
  local head = look.patch(table.concat(lines, "\n", 1, MAX_PATCH))
  local rest = "… " .. #lines - MAX_PATCH .. " more lines; `print(_)` shows all of them"
  return head
    .. paint("dim", rest)
    .. "\n"
    .. look.line(rawget(diff, "summary"):match("[^\n]*%s*$"))
end

local MERGES = {
  merged = "merged into %s, which is at %s now",
  fast_forward = "%s was moved forward to %s",
  up_to_date = "%s has all of it already, at %s",
}

function results.merge(merge)
  local status = rawget(merge, "status")
  local text = MERGES[status]
  local lines = {
    text and paint("green", text:format(merge.into or "?", (merge.commit or "?"):sub(1, 10)))
      or paint("red", status .. (merge.reason and ": " .. merge.reason or "")),
  }
  for _, made in ipairs(merge.resolved or {}) do
    lines[#lines + 1] = "  resolved " .. look.line(made.path) .. " by " .. (made.by or made.how)
  end
  for _, conflict in ipairs(merge.conflicts or {}) do
    lines[#lines + 1] = "  conflict in " .. look.line(conflict.path) .. ": " .. conflict.kind
  end
  if merge.dropped_total then
    local gone = merge.dropped_total .. " lines of a side are gone, see `_.dropped`"
    lines[#lines + 1] = "  " .. paint("yellow", gone)
  end
  if merge.merges then
    lines[#lines + 1] = show(merge.merges)
  end
  return table.concat(lines, "\n")
end

results["command result"] = function(ran)
  local parts = {}
  for _, text in ipairs { ran.stdout or "", ran.stderr or "" } do
    if text ~= "" then
      parts[#parts + 1] = excerpt(text, "", MAX_ROWS)
    end
  end
  if not ran.ok then
    parts[#parts + 1] = paint("red", "it ended with " .. tostring(ran.code))
  elseif #parts == 0 then
    parts[1] = paint("dim", "it printed nothing, and went well")
  end
  return table.concat(parts, "\n")
end

local function shown_error(e)
  local at = e.at and paint("dim", " at " .. e.at) or ""
  local text = paint("red", e.kind .. " error") .. ": " .. look.line(e.message) .. at
  return e.hint and text .. "\n  " .. paint("bold", "hint") .. ": " .. look.line(e.hint) or text
end

local function module_name(value)
  for _, name in ipairs { "agent", "git", "github", "sh", "fs", "json", "log" } do
    if rawequal(value, _G[name]) then
      return name
    end
  end
end

local function function_text(value)
  local info = assert(debug.getinfo(value, "S"))
  if info.what == "C" or info.source:sub(1, 1) == "=" and info.source ~= "=repl" then
    return "<function>"
  end
  return "<function " .. info.source:sub(2) .. ":" .. info.linedefined .. ">"
end

-- What stands for a value, in a table or alone; nothing when it is to be shown as Lua has it.
local function leaf(value, depth)
  local kind = type(value)
  if kind == "function" then
    return function_text(value)
  elseif kind == "string" and #value > MAX_STRING then
    return inspect(value:sub(1, MAX_STRING)) .. "… (" .. #value .. " bytes)"
  elseif kind ~= "table" or depth == 0 then
    return nil
  elseif getmetatable(value) == Error then
    return "<error " .. value.kind .. ": " .. look.cut(look.line(value.message), 60) .. ">"
  end
  local name = kind_of(value)
  if name == "outcome" then
    local branch = rawget(value, "branch")
    local text = (rawget(value, "id") or "?") .. " " .. (rawget(value, "subtype") or "?")
    return "<outcome " .. text .. (branch and " " .. branch or "") .. ">"
  elseif name == "diff" then
    return ("<diff of %d files, +%d -%d>"):format(#value.files, value.additions, value.deletions)
  end
end

function show(value)
  if type(value) ~= "table" then
    return inspect(value, leaf)
  elseif getmetatable(value) == Error then
    return shown_error(value)
  end
  local kind, module = kind_of(value), module_name(value)
  if module then
    return "<module " .. module .. ">, which `:help " .. module .. "` tells more about"
  elseif kind and results[kind] then
    return results[kind](value)
  elseif not kind and next(value) ~= nil then
    local rows = listed(value)
    if rows then
      return rows
    end
  end
  local text = inspect(value, leaf)
  return text:find("\n", 1, true) and as_rows(value) or text
end

return show
