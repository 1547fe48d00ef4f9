-- The part of the bridge that has to be Lua. It makes waiting work where plain Lua would not let it,
-- keeps a script from swallowing its own cancellation, raises errors at the caller's line, and
-- gives results and globals their strictness. `raw` holds what Rust provides (src/vm/runtime.rs).
local raw = ...
local PENDING, cancelled, cancel_error = raw.pending, raw.cancelled, raw.cancel_error
local told, must_stop = raw.told, raw.must_stop
local error, getmetatable, rawget, rawset, select, setmetatable, tostring, type =
  error, getmetatable, rawget, rawset, select, setmetatable, tostring, type
local rawpcall, rawxpcall = pcall, xpcall
local getinfo, traceback, pack, unpack = debug.getinfo, debug.traceback, table.pack, table.unpack
local co_close, co_create, co_resume, co_status, co_yield, isyieldable =
  coroutine.close,
  coroutine.create,
  coroutine.resume,
  coroutine.status,
  coroutine.yield,
  coroutine.isyieldable

-- Errors ------------------------------------------------------------------------------------------

local Error = { __name = "agentlua.error" }
Error.__index = Error
function Error.__tostring(e)
  local text = (e.at and e.at .. ": " or "") .. e.kind .. ": " .. e.message
  return e.hint and text .. " (" .. e.hint .. ")" or text
end
function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

local function new_error(kind, message, hint)
  return setmetatable({ kind = kind, message = message, hint = hint }, Error)
end

-- The innermost script position: prelude and C frames say nothing to the author.
local function position()
  for level = 2, 40 do
    local frame = getinfo(level, "Sl")
    if not frame then
      return nil
    end
    if frame.source:sub(1, 1) == "@" and frame.currentline > 0 then
      return frame.source:sub(2) .. ":" .. frame.currentline
    end
    if frame.source == "=repl" then
      return "repl:" .. frame.currentline
    end
  end
end

local function placed(e)
  if getmetatable(e) == Error and not rawget(e, "at") then
    e.at = position()
  end
  return e
end

local function raise(e)
  error(placed(e), 0)
end

local function usage(message, hint)
  raise(new_error("usage", message, hint))
end

-- Cancellation ------------------------------------------------------------------------------------

-- What mlua or the count hook raised is a userdata, and what the standard library raised below one
-- of our functions has a line of ours in front. A script sees neither.
local function own(e)
  if type(e) == "string" then
    return (e:gsub("^%[agentlua%]:%d+: ", ""))
  elseif type(e) ~= "userdata" then
    return e
  elseif cancelled() and raw.is_fault(e) then
    return cancel_error()
  end
  return raw.own(e)
end

-- A cancelled task is told once, by an error that no `pcall` returns. `cleaning` says that the task
-- had been told before the call: then this is a `<close>` handler, which may fail and be caught like
-- any other code until its grace is over.
local function passing(cleaning, ok, ...)
  if ok then
    return ok, ...
  end
  local e = own((...))
  if cancelled() and not (cleaning and not must_stop()) then
    error(told() and e or cancel_error(), 0)
  end
  return false, e
end

function pcall(...)
  return passing(told(), rawpcall(...))
end

function xpcall(f, on_error, ...)
  if type(on_error) ~= "function" then
    return rawxpcall(f, on_error, ...)
  end
  return passing(
    told(),
    rawxpcall(f, function(e)
      return on_error(own(e))
    end, ...)
  )
end

-- The traceback with whole paths: Lua itself cuts those of more than 60 bytes at the front.
local function whole_traceback()
  local text = traceback("", 3)
  if text:find("\t...", 1, true) then
    for level = 3, 60 do
      local frame = getinfo(level, "S")
      if not frame then
        break
      end
      local short = frame.short_src
      if short:sub(1, 3) == "..." then
        text = text:gsub("\t" .. short:gsub("%p", "%%%0") .. ":", function()
          return "\t" .. frame.source:sub(2) .. ":"
        end)
      end
    end
  end
  return text
end

-- The text of the innermost script function, where that was made by `load` from a string.
local function loaded_text()
  for level = 3, 40 do
    local frame = getinfo(level, "S")
    if not frame then
      return nil
    end
    local first = frame.source:sub(1, 1)
    if first == "@" or frame.source == "=repl" then
      return nil
    elseif first ~= "=" then
      return frame.source
    end
  end
end

-- The message handler of every task: the value stays as it is, its traceback is noted beside it.
local function handler(e)
  e = own(e)
  raw.note(e, whole_traceback(), loaded_text())
  return e
end

local function main(f, ...)
  return rawxpcall(f, handler, ...)
end

-- Waiting -----------------------------------------------------------------------------------------

-- C functions that call back into Lua; nothing can wait inside them.
local callers = {
  [table.sort] = "a `table.sort` comparator",
  [string.gsub] = "a `string.gsub` replacement function",
  [tostring] = "`__tostring`",
  [string.format] = "`__tostring`",
  [table.unpack] = "an `__index` that `table.unpack` calls",
  [table.concat] = "an `__index` that `table.concat` calls",
  [load] = "a `load` reader",
}

-- C functions that one can wait inside.
---@type table<function, true>
local transparent = { [error] = true, [rawpcall] = true, [rawxpcall] = true, [co_yield] = true }

local function cannot_wait(name)
  local place = "a C function"
  for level = 3, 40 do
    local frame = getinfo(level, "Sfn")
    if not frame then
      break
    end
    if frame.namewhat == "metamethod" and frame.name == "__gc" then
      place = "a `__gc` finalizer"
      break
    end
    if frame.what == "C" and not transparent[frame.func] then
      place = callers[frame.func] or (frame.name and "`" .. frame.name .. "`") or place
      break
    end
  end
  return new_error(
    "usage",
    (name == "a coroutine" and name or "`" .. name .. "`")
      .. " has to wait, and nothing may wait inside "
      .. place,
    "call it before and use what it returned"
  )
end

-- Coroutines --------------------------------------------------------------------------------------

-- A script's own coroutines are transparent to waiting: what mlua yields while a Rust future is
-- pending is passed on outwards, and never shown to the script.
local waiting = setmetatable({}, { __mode = "k" })

local closer = {
  __close = function(guard)
    waiting[guard.co] = nil
    if guard.open then
      co_close(guard.co)
    end
  end,
}

local function drive(co, ok, ...)
  local first = ...
  if ok and select("#", ...) == 0 and co_status(co) == "suspended" then
    local frame = getinfo(co, 0, "f")
    -- Yielded by the count hook, when the time slice was used up inside `co`, and not by the script.
    if frame and frame.func ~= co_yield then
      if isyieldable() then
        raw.yield()
      end
      return drive(co, co_resume(co))
    end
  end
  if not (ok and first == PENDING) then
    return ok, ...
  end
  if not isyieldable() then
    co_close(co)
    raise(cannot_wait("a coroutine"))
  end
  local guard <close> = setmetatable({ co = co, open = true }, closer)
  waiting[co] = true
  local results
  repeat
    results = pack(co_resume(co, co_yield(PENDING)))
  until not (results[1] and results[2] == PENDING)
  guard.open, waiting[co] = false, nil
  return drive(co, unpack(results, 1, results.n))
end

local function finish(ok, ...)
  if ok then
    return ...
  end
  error((...), 0)
end

-- The body of a coroutine unwinds inside of it, so that its `<close>` handlers may wait; Lua would
-- run them later and from outside, or never.
function coroutine.create(f)
  if type(f) ~= "function" then
    ---@cast f any
    return co_create(f)
  end
  return co_create(function(...)
    return finish(rawxpcall(f, handler, ...))
  end)
end

function coroutine.resume(co, ...)
  if waiting[co] then
    return false, "cannot resume a coroutine that waits in another task"
  end
  return passing(told(), drive(co, co_resume(co, ...)))
end

function coroutine.status(co)
  return waiting[co] and "normal" or co_status(co)
end

function coroutine.close(co)
  if waiting[co] then
    error("cannot close a coroutine that waits in another task", 2)
  end
  return co_close(co)
end

function coroutine.wrap(f)
  local co = coroutine.create(f)
  return function(...)
    if waiting[co] then
      error("cannot resume a coroutine that waits in another task", 2)
    end
    return finish(drive(co, co_resume(co, ...)))
  end
end

-- Primitives --------------------------------------------------------------------------------------

local function check(ok, ...)
  if ok then
    return ...
  end
  raise((...))
end

-- A twin returns the error, save for usage and for the task's own cancellation; and `true` where
-- there is nothing to return, so that it can be asked whether it went well.
local function attempt(ok, ...)
  if ok then
    if select("#", ...) == 0 then
      return true
    end
    return ...
  end
  local e = ...
  if raw.is_cancellation(e) or (getmetatable(e) == Error and e.kind == "usage") then
    raise(e)
  end
  return nil, placed(e)
end

-- Makes `module[name]` and `module.try_name` from a primitive that returns `true, …` or `false, e`.
local function define(module, name, full_name, primitive, waits)
  module[name] = function(...)
    if waits and not isyieldable() then
      raise(cannot_wait(full_name))
    end
    return check(primitive(...))
  end
  module["try_" .. name] = function(...)
    if waits and not isyieldable() then
      raise(cannot_wait(full_name))
    end
    return attempt(primitive(...))
  end
end

-- Makes the twin of a function that is written in Lua.
local function twin(f)
  return function(...)
    return attempt(pcall(f, ...))
  end
end

-- Results -----------------------------------------------------------------------------------------

-- Fields that a result may have; reading another one is a mistake and not nil. They answer to the
-- Agent SDK's camelCase names too.
local strict = {}

local function fields_of(kind)
  local meta = strict[kind]
  if meta then
    return meta
  end
  local names = raw.result_fields(kind)
  local known = {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  meta = { __name = kind }
  meta.__index = function(result, name)
    if type(name) ~= "string" or known[name] then
      return nil
    end
    local snake = name:gsub("%u", function(letter)
      return "_" .. letter:lower()
    end)
    if snake ~= name and known[snake] then
      return rawget(result, snake)
    end
    local near = raw.nearest(name, names)
    local article = kind:match("^[aeiou]") and "an " or "a "
    usage(
      article .. kind .. " has no field `" .. name .. "`",
      near and "did you mean `" .. near .. "`?" or "it has `" .. table.concat(names, "`, `") .. "`"
    )
  end
  if kind == "diff" then
    meta.__tostring = function(diff)
      return diff.patch
    end
  end
  strict[kind] = meta
  return meta
end

local function result(kind, fields)
  return setmetatable(fields, fields_of(kind))
end

local function is_result(value, kind)
  return type(value) == "table" and strict[kind] ~= nil and getmetatable(value) == strict[kind]
end

-- The standard library, where agentlua has to step in ---------------------------------------------

function print(...)
  local parts = pack(...)
  for i = 1, parts.n do
    parts[i] = tostring(parts[i])
  end
  raw.write(table.concat(parts, "\t", 1, parts.n) .. "\n")
end

-- `io.write` and `io.stdout:write` go the way of `print`: one order, and a closed output is noticed.
-- `io.stderr:write` goes the way of warnings: not through a display that is there.
local files = getmetatable(io.stdout).__index
local file_write = files.write
local ways = { [io.stdout] = raw.write, [io.stderr] = raw.complain }
io.stdout:setvbuf("no")

local function write(file, ...)
  local way = ways[file]
  if not way or io.type(file) ~= "file" then
    return file_write(file, ...)
  end
  local parts = pack(...)
  for i = 1, parts.n do
    local kind = type(parts[i])
    if kind ~= "string" and kind ~= "number" then
      error("bad argument #" .. i .. " to 'write' (string expected, got " .. kind .. ")", 3)
    end
  end
  way(table.concat(parts, "", 1, parts.n))
  return file
end

-- In parentheses, for a tail call would hide who called from the error above.
function files.write(file, ...)
  return (write(file, ...))
end

function io.write(...)
  return (write(io.output(), ...))
end

-- Whoever is asked something on a terminal has it alone while they type.
if raw.reading then
  local file_read, stdin = files.read, io.stdin

  local function read(file, ...)
    if file ~= stdin then
      return file_read(file, ...)
    end
    raw.reading(true)
    local _ <close> = setmetatable({}, {
      __close = function()
        raw.reading(false)
      end,
    })
    return file_read(file, ...)
  end

  function files.read(file, ...)
    return read(file, ...)
  end

  function io.read(...)
    return read(io.input(), ...)
  end

  local lines = io.lines
  function io.lines(name, ...)
    if name ~= nil or io.input() ~= stdin then
      return lines(name, ...)
    end
    local formats = pack(...)
    return function()
      return read(stdin, table.unpack(formats, 1, formats.n))
    end
  end
end

function os.exit(code)
  if code == nil or code == true then
    code = 0
  elseif code == false then
    code = 1
  else
    code = type(code) == "number" and math.tointeger(code)
    if not code then
      usage("`os.exit` takes a whole number, true or false")
    end
  end
  raw.exit(code & 0xff)
  error(cancel_error(), 0)
end

-- C modules cannot be loaded: the interpreter is linked statically.
package.cpath = ""
package.loadlib = nil
package.searchers[3], package.searchers[4] = nil, nil

local loaded, preload, searchers = package.loaded, package.preload, package.searchers
-- Which task loads a module, and which module a task waits for.
local loading, waits_for = {}, {}

-- Reports whether loading `name` waits for this very task, or for one that it belongs to.
local function is_circular(name)
  local owner = loading[name]
  while owner do
    if raw.within(owner) then
      return true
    end
    owner = loading[waits_for[owner]]
  end
  return false
end

local function wait_for_module(name)
  if is_circular(name) then
    usage("module `" .. name .. "` requires itself, perhaps through another")
  elseif not isyieldable() then
    raise(cannot_wait("require"))
  end
  local id = raw.task_id()
  waits_for[id] = name
  local done <close> = setmetatable({}, {
    __close = function()
      waits_for[id] = nil
    end,
  })
  while loading[name] do
    if must_stop() then
      error(cancel_error(), 0)
    end
    raw.rest()
  end
end

-- `require` in Lua, so that the top level of a module may wait. Tasks that require a module while
-- another loads it wait for that one.
function require(name)
  if type(name) ~= "string" then
    error("bad argument #1 to 'require' (string expected, got " .. type(name) .. ")", 2)
  end
  while loaded[name] == nil and loading[name] do
    wait_for_module(name)
  end
  local module = loaded[name]
  if module ~= nil then
    return module
  end
  loading[name] = raw.task_id()
  local done <close> = setmetatable({}, {
    __close = function()
      loading[name] = nil
    end,
  })
  local tried = {}
  for _, searcher in ipairs(searchers) do
    ---@cast searcher function
    local loader, extra = searcher(name)
    if type(loader) == "function" then
      local value = loader(name, extra)
      if value ~= nil then
        loaded[name] = value
      elseif loaded[name] == nil then
        loaded[name] = true --[[@as any]]
      end
      return loaded[name], extra
    elseif type(loader) == "string" then
      tried[#tried + 1] = loader
    end
  end
  error("module '" .. name .. "' not found:" .. table.concat(tried, "\n\t"), 2)
end

-- Hooks, metatables of types and upvalues are not for scripts.
local getupvalue = debug.getupvalue
debug = { getinfo = getinfo, traceback = traceback }
loaded.debug = debug

-- Globals -----------------------------------------------------------------------------------------

local globals = {}

local function publish(name, value)
  rawset(_G, name, nil)
  globals[name] = value
  preload["agentlua." .. name] = function()
    return value
  end
end

setmetatable(_G, {
  __index = globals,
  __newindex = function(environment, name, value)
    if globals[name] ~= nil then
      usage("`" .. name .. "` is agentlua's and cannot be assigned", "use another name")
    end
    rawset(environment, name, value)
  end,
})

return {
  Error = Error,
  attempt = attempt,
  define = define,
  getupvalue = getupvalue,
  is_result = is_result,
  main = main,
  new_error = new_error,
  position = position,
  publish = publish,
  raise = raise,
  result = result,
  twin = twin,
  usage = usage,
}
