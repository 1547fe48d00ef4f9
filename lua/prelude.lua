-- The part of the bridge that has to be Lua. It makes waiting work where plain Lua would not let it,
-- keeps a script from swallowing its own cancellation, raises errors at the caller's line, and
-- gives results and globals their strictness. `raw` holds what Rust provides (src/vm/runtime.rs).
local raw = ...
local PENDING, cancelled, cancel_error = raw.pending, raw.cancelled, raw.cancel_error
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

-- Waiting -----------------------------------------------------------------------------------------

-- A script's own coroutines are transparent to waiting: what mlua yields while a Rust future is
-- pending is passed on outwards, and never shown to the script.
local closer = {
  __close = function(guard)
    if guard.co then
      co_close(guard.co)
    end
  end,
}

local function drive(co, ok, first, ...)
  -- An empty yield may be the count hook's, when the time slice was used up inside `co`.
  if
    ok
    and first == nil
    and select("#", ...) == 0
    and raw.preempted()
    and co_status(co) == "suspended"
  then
    if isyieldable() then
      raw.yield()
    end
    return drive(co, co_resume(co))
  end
  if not (ok and first == PENDING) then
    if not ok and cancelled() then
      co_close(co)
      error(first, 0)
    end
    return ok, first, ...
  end
  local guard <close> = setmetatable({ co = co }, closer)
  local results
  repeat
    results = pack(co_resume(co, co_yield(PENDING)))
  until not (results[1] and results[2] == PENDING)
  guard.co = nil
  return drive(co, unpack(results, 1, results.n))
end

function coroutine.resume(co, ...)
  return drive(co, co_resume(co, ...))
end

local function unwrap(co, ok, ...)
  if ok then
    return ...
  end
  co_close(co)
  error((...), 0)
end

function coroutine.wrap(f)
  local co = co_create(f)
  return function(...)
    return unwrap(co, drive(co, co_resume(co, ...)))
  end
end

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

local function cannot_wait(name)
  local place = "a C function"
  for level = 3, 40 do
    local frame = getinfo(level, "Sfn")
    if not frame then
      break
    end
    if frame.namewhat == "metamethod" and frame.name == "gc" then
      place = "a `__gc` finalizer"
      break
    end
    if frame.what == "C" and frame.func ~= error then
      place = callers[frame.func] or (frame.name and "`" .. frame.name .. "`") or place
      break
    end
  end
  return new_error(
    "usage",
    "`" .. name .. "` has to wait, and nothing may wait inside " .. place,
    "call it before and use what it returned"
  )
end

-- Cancellation ------------------------------------------------------------------------------------

-- A cancelled task is told once, by an error; `pcall` passes that on instead of returning it.
local function passing(ok, ...)
  if not ok and cancelled() then
    local e = ...
    if type(e) == "userdata" then
      e = cancel_error() -- raised by the count hook
    end
    error(e, 0)
  end
  return ok, ...
end

function pcall(f, ...)
  return passing(rawpcall(f, ...))
end

function xpcall(f, handler, ...)
  return passing(rawxpcall(f, handler, ...))
end

-- The message handler of every task: the value stays as it is, its traceback is noted beside it.
local function handler(e)
  if type(e) == "userdata" and cancelled() then
    e = cancel_error()
  end
  raw.note(e, traceback("", 2))
  return e
end

local function main(f, ...)
  return rawxpcall(f, handler, ...)
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
  if cancelled() or (getmetatable(e) == Error and e.kind == "usage") then
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
    return attempt(rawpcall(f, ...))
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
      near and "did you mean `" .. near .. "`?" or nil
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

-- One order for `print` and `io.write`, which goes through C's own buffer.
io.stdout:setvbuf("no")

function os.exit(code)
  if code == nil or code == true then
    code = 0
  elseif code == false then
    code = 1
  elseif math.type(code) ~= "integer" then
    usage("`os.exit` takes a whole number, true or false")
  end
  raw.exit(code)
  error(cancel_error(), 0)
end

-- C modules cannot be loaded: the interpreter is linked statically.
package.cpath = ""
package.loadlib = nil
package.searchers[3], package.searchers[4] = nil, nil

local loaded, preload, searchers = package.loaded, package.preload, package.searchers
local loading = {}

-- `require` in Lua, so that the top level of a module may wait.
function require(name)
  local module = loaded[name]
  if module ~= nil then
    return module
  end
  if loading[name] then
    if loading[name] == raw.task_id() then
      usage("module `" .. name .. "` requires itself, perhaps through another")
    end
    repeat
      raw.yield()
    until not loading[name]
    return require(name)
  end
  loading[name] = raw.task_id()
  local done <close> = setmetatable({}, {
    __close = function()
      loading[name] = nil
    end,
  })
  local tried = {}
  for _, searcher in ipairs(searchers) do
    local loader, extra = searcher(name)
    if type(loader) == "function" then
      local value = loader(name, extra)
      if value ~= nil then
        loaded[name] = value
      elseif loaded[name] == nil then
        loaded[name] = true
      end
      return loaded[name], extra
    elseif type(loader) == "string" then
      tried[#tried + 1] = loader
    end
  end
  error("module '" .. name .. "' not found:" .. table.concat(tried, "\n\t"), 2)
end

-- Hooks, metatables of types and upvalues are not for scripts.
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
  is_result = is_result,
  main = main,
  new_error = new_error,
  publish = publish,
  raise = raise,
  result = result,
  twin = twin,
  usage = usage,
}
