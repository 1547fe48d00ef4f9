-- `require "agentlua.test"`: cases, checks, real repositories and whole runs of scripts.
--
-- A case runs where it stands, so locals of the file are its fixtures, in a task of its own, so that
-- nothing it started outlives it. Under `agentlua test` what becomes of it is told by marked lines in
-- the output, and the file goes on; in a plain run a case that fails ends the script with its error.
local kit, raw, difference = ...
local usage = kit.usage

local pcall, spawn, exit = pcall, agent.spawn, os.exit
local encode, inspect = json.encode, raw.inspect

-- Of a text that lacks something, and of what a check is given to say, so many lines are shown.
local MAX_LINES = 12
-- What is said of a check stands before what is wrong, if it is a sentence, else after it.
local MAX_SENTENCE = 120

local test = {}
local setups, failed = {}, false
-- The name of the case that runs.
---@type string?
local running
-- What runs of the case that runs have written.
local written = {}
-- How many cases there were, for the names of their folders.
local count = 0
local dir = type(arg) == "table" and tostring(arg[0]):match("^(.*)/[^/]*$") or "."
if dir == "" then
  dir = "/"
end
-- Errors that checks raised: `t.error` does not take them for those of what it tries.
local checks = setmetatable({}, { __mode = "k" })
local Skipped = { __name = "skipped case" }

-- JSON is UTF-8.
local function legible(text)
  return utf8.len(text) and text or (text:gsub("[\x80-\xff]", "?"))
end

local function tell(event)
  if raw.mark then
    io.stdout:write(raw.mark, encode(event), "\n")
  end
end

if raw.mark then
  -- A file that ends itself leaves cases behind that nobody would miss.
  function os.exit(code)
    local number = code == false and 1 or math.type(code) == "integer" and code or 0
    tell { type = "exit", code = number, at = kit.position() }
    return exit(code)
  end
end

-- Checks ------------------------------------------------------------------------------------------

-- The end of a text, where what was waited for is most often missing.
local function ending(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  local from = math.max(1, #lines - MAX_LINES + 1)
  return (from > 1 and "…\n" or "") .. table.concat(lines, "\n", from)
end

local function fail(what, message, detail)
  local said = what ~= nil and tostring(what):gsub("%s+$", "") or ""
  local lines = { message, detail }
  if said:find("\n", 1, true) or #said > MAX_SENTENCE then
    -- `t.equal(run.code, 0, run.stderr)`: that is shown as what the case wrote.
    lines[#lines + 1] = not written[what] and ending(said) or nil
  elseif said ~= "" and not written[what] then
    lines[1] = said .. ": " .. message
  end
  local e = kit.new_error("verify", table.concat(lines, "\n"))
  checks[e] = true
  kit.raise(e)
end

local Context = {}
Context.__index = function(_, name)
  if Context[name] ~= nil or type(name) ~= "string" then
    return Context[name]
  end
  local names = { "name", "repo", "run" }
  for known in pairs(Context) do
    names[#names + 1] = known:match("^%l+$")
  end
  table.sort(names)
  usage("`t` has no `" .. name .. "`", "it has " .. table.concat(names, ", "))
end

-- `t:equal(a, b)` would compare `t`.
local function check_dot(name, value)
  if getmetatable(value) == Context then
    usage("`t." .. name .. "` is called with a dot, not with a colon")
  end
end

function Context.equal(actual, expected, what)
  check_dot("equal", actual)
  local how = difference(actual, expected)
  if how then
    fail(what, "not equal", how)
  end
end

local function check_text(name, ...)
  for i = 1, 2 do
    local text = (select(i, ...))
    if type(text) ~= "string" then
      usage("`t." .. name .. "`: argument " .. i .. " must be a string, not " .. type(text))
    end
  end
end

-- As people type it.
local function quoted(text)
  return (inspect(text):gsub("\\9", "\\t"))
end

function Context.match(text, pattern, what)
  check_text("match", text, pattern)
  if not text:find(pattern) then
    fail(what, "nothing matches " .. quoted(pattern) .. " in", ending(text))
  end
end

function Context.contains(text, piece, what)
  check_text("contains", text, piece)
  if not text:find(piece, 1, true) then
    fail(what, quoted(piece) .. " is not in", ending(text))
  end
end

function Context.truthy(value, what)
  check_dot("truthy", value)
  if not value then
    fail(what, "expected something true, not " .. inspect(value))
  end
end

function Context.falsy(value, what)
  check_dot("falsy", value)
  if value then
    fail(what, "expected false or nil, not " .. inspect(value))
  end
end

function Context.fail(why)
  check_dot("fail", why)
  fail(nil, why == nil and "failed" or tostring(why))
end

function Context.skip(why)
  check_dot("skip", why)
  error(setmetatable({ why = why ~= nil and tostring(why) or nil }, Skipped), 0)
end

local function message_of(e)
  local message = type(e) == "table" and rawget(e, "message")
  return type(message) == "string" and message or tostring(e)
end

-- A plain piece of the message, or a pattern.
local function says(message, wanted)
  if message:find(wanted, 1, true) then
    return true
  end
  local ok, found = pcall(string.find, message, wanted)
  return ok and found ~= nil
end

local function check_wanted(wanted)
  if type(wanted) == "string" then
    wanted = { message = wanted }
  elseif type(wanted) ~= "table" and wanted ~= nil then
    usage("`t.error`: argument 2 must be a table or a string, not " .. type(wanted))
  end
  for name in pairs(wanted or {}) do
    if name ~= "kind" and name ~= "message" then
      usage("`t.error` has no option `" .. tostring(name) .. "`", "it takes `kind`, `message`")
    end
  end
  return wanted or {}
end

function Context.error(fn, wanted, what)
  if type(fn) ~= "function" then
    usage(
      "`t.error`: argument 1 must be a function, not " .. type(fn),
      "t.error(function() … end, { kind = … })"
    )
  end
  wanted = check_wanted(wanted)
  local ok, e = pcall(fn --[[@as function]])
  if ok then
    fail(what, "no error was raised")
  elseif checks[e] or getmetatable(e) == Skipped then
    error(e, 0)
  end
  local kind = getmetatable(e) == kit.Error and e and e.kind or nil
  if wanted.kind and wanted.kind ~= kind then
    fail(
      what,
      "the error is of another kind",
      difference(kind, wanted.kind) .. "\n" .. message_of(e)
    )
  elseif wanted.message and not says(message_of(e), wanted.message) then
    fail(what, "the error says something else", difference(message_of(e), wanted.message))
  end
  return e
end

-- Repositories and runs ---------------------------------------------------------------------------

local Case = {}
Case.__index = Case

-- The folder of the case, which goes when it is over.
function Case:home()
  if not self.folder then
    local parent = raw.folder
    if not parent then
      parent = sh.check('cd "$(mktemp -d)" && pwd -P').stdout:gsub("\n$", "")
      self.parent = parent
    end
    self.folder = parent .. "/case-" .. count
    fs.mkdir(self.folder)
  end
  return self.folder
end

function Case:leave()
  local folder = self.parent or self.folder
  if folder and fs.exists(folder) then
    local ok, e = fs.try_remove(folder, { recursive = true })
    if not ok then
      log.warn("what a case left cannot be removed: " .. e.message)
    end
  end
end

local Repo = { __name = "test repository" }
Repo.__index = Repo

function Repo:sh(command, options)
  return raw.shell(self.home, self.path, command, options)
end

function Repo:check(command, options)
  local ran = self:sh(command, options)
  if not ran.ok then
    fail(nil, "`" .. command .. "` failed with " .. tostring(ran.code), ran.stderr .. ran.stdout)
  end
  return ran
end

function Repo:read(path)
  return fs.read(self.path .. "/" .. path)
end

function Repo:write(path, text)
  if
    type(path) ~= "string"
    or path:sub(1, 1) == "/"
    or ("/" .. path .. "/"):find("/../", 1, true)
  then
    usage("a file of a repository is named by its path inside it, not `" .. tostring(path) .. "`")
  end
  local whole = self.path .. "/" .. path
  fs.mkdir(whole:match("^(.*)/") or self.path)
  fs.write(whole, text)
  if text:sub(1, 2) == "#!" then
    raw.shell(self.home, self.path, 'chmod +x "$FILE"', { env = { FILE = whole } })
  end
end

-- The dates are fixed, so that the first commit has one id everywhere.
local BEGIN = "git init -q && git add -A -f && git commit -q --allow-empty -m start"
local DATE =
  { GIT_AUTHOR_DATE = "2026-01-01T00:00:00Z", GIT_COMMITTER_DATE = "2026-01-01T00:00:00Z" }

function Case:repo(files)
  if files ~= nil and type(files) ~= "table" then
    usage("`t.repo` takes a table of files, not " .. type(files))
  end
  self.repos = (self.repos or 0) + 1
  local home = self:home()
  local path = home .. "/repo" .. (self.repos > 1 and "-" .. self.repos or "")
  fs.mkdir(path)
  local repo = setmetatable({ path = path, home = home }, Repo)
  local names = {}
  for name, text in pairs(files or {}) do
    if type(name) ~= "string" or type(text) ~= "string" then
      usage('`t.repo`: files are texts by path: { ["src/a.txt"] = "text" }')
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    repo:write(name, files[name])
  end
  repo:check(BEGIN, { env = DATE })
  return repo
end

function Case:run(spec)
  if type(spec) ~= "table" then
    usage('`t.run` takes a table: { "x.lua", "argument", repo = … }, not a ' .. type(spec))
  end
  local script, options = {}, {}
  for key, value in pairs(spec) do
    if math.type(key) == "integer" then
      script[key] = value
    else
      options[key] = value
    end
  end
  local ran = raw.run(self:home(), dir, script, options)
  -- Seen only if the case fails, or by whoever runs the file by hand.
  local words = {}
  for i, word in ipairs(script) do
    words[i] = word:find("^[%w%-_./=]+$") and word or quoted(word)
  end
  print("$ agentlua run " .. table.concat(words, " "))
  io.stdout:write(ran.stdout, ran.stderr)
  written[ran.stdout], written[ran.stderr] = true, true
  return ran
end

-- Cases -------------------------------------------------------------------------------------------

local function context(case, name)
  return setmetatable({
    name = name,
    repo = function(files)
      return case:repo(files)
    end,
    run = function(spec)
      return case:run(spec)
    end,
  }, Context)
end

-- Runs a case and returns how it ended, with what ended it.
local function attempt(name, case)
  count = count + 1
  local own = setmetatable({}, Case)
  running, written = name, {}
  local done <close> = setmetatable({}, {
    __close = function()
      running = nil
      own:leave()
    end,
  })
  local t = context(own, name)
  local task = spawn(function()
    for _, setup in ipairs(setups) do
      setup(t)
    end
    case(t)
  end)
  local ok, e = pcall(task.await, task)
  if ok then
    return "passed"
  elseif getmetatable(e) == Skipped then
    return "skipped", e
  end
  return "failed", e
end

local function milliseconds(since)
  return math.floor(raw.millis() - since + 0.5)
end

function test.case(name, fn)
  if type(name) ~= "string" or name == "" then
    usage("`test.case`: argument 1 must be the name of the case, not " .. type(name))
  elseif type(fn) ~= "function" then
    usage("`test.case`: argument 2 must be a function, not " .. type(fn))
  elseif running then
    usage(
      "`test.case`: the case `" .. running .. "` still runs",
      "cases run one after the other, and none inside another"
    )
  end
  local shown = legible(name)
  if raw.filter and not name:find(raw.filter, 1, true) then
    tell { type = "left_out" }
    return
  elseif failed and raw.fail_fast then
    tell { type = "not_run", name = shown }
    return
  end
  tell { type = "begin", name = shown, at = kit.position() }
  local began = raw.millis()
  local status, e = attempt(name, fn)
  local took = milliseconds(began)
  if raw.mark then
    failed = failed or status == "failed"
    tell {
      type = "end",
      status = status,
      duration_ms = took,
      reason = status == "skipped" and e and e.why and legible(e.why) or nil,
      error = status == "failed" and raw.describe(e) or nil,
    }
  elseif status == "failed" then
    error(e, 0)
  else
    local why = status == "skipped" and e and e.why and ": " .. e.why or ""
    print((status == "passed" and "ok    " or "skip  ") .. name .. why .. " (" .. took .. " ms)")
  end
end

function test.setup(fn)
  if type(fn) ~= "function" then
    usage("`test.setup`: argument 1 must be a function, not " .. type(fn))
  end
  setups[#setups + 1] = fn
end

return setmetatable(test, {
  __index = function(_, name)
    usage("`agentlua.test` has no `" .. tostring(name) .. "`", "it has `case` and `setup`")
  end,
})
