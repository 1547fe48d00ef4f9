-- The standard library in a dry run: what a script writes goes into copies, which it finds again by
-- their names; commands run only if they look.
local kit = ...
local open, popen, lines, input, output, remove =
  io.open, io.popen, io.lines, io.input, io.output, os.remove

-- What a file that was removed is read from.
local GONE = "/dev/null/removed"

local function writes(mode)
  return type(mode) == "string" and mode:find("[wa+]") ~= nil
end

-- Returns where a file is that is opened in `mode`; other values as they are, to be complained about.
local function place(name, mode)
  if type(name) ~= "string" then
    return name
  elseif writes(mode) then
    return kit.to_write(name)
  end
  return kit.found(name) or GONE
end

function io.open(name, mode)
  return open(place(name, mode), mode)
end

function io.lines(name, ...)
  if name == nil then
    return lines()
  end
  return lines(place(name), ...)
end

function io.input(file)
  if file == nil then
    return input()
  end
  return input(place(file))
end

function io.output(file)
  if file == nil then
    return output()
  end
  return output(place(file, "w"))
end

function io.popen(command, mode)
  local path = type(command) == "string" and kit.temporary(command)
  if path then
    return popen("echo '" .. path:gsub("'", "'\\''") .. "'", mode)
  elseif type(command) ~= "string" or kit.looks(command) then
    return popen(command, mode)
  end
  -- It says nothing, takes everything, and ends well.
  return popen(mode and mode:find("w") and "cat > /dev/null" or "true", mode)
end

function os.tmpname()
  return kit.temporary("mktemp")
end

function os.remove(name)
  if type(name) ~= "string" then
    ---@cast name any
    return remove(name)
  end
  local file, why, code = open(kit.found(name) or GONE)
  if not file then
    return nil, why:gsub("^[^:]*", name), code
  end
  file:close()
  kit.remove(name)
  return true
end

function os.rename(from, to)
  local file, why, code = open(place(from), "rb")
  if not file then
    return nil, why:gsub("^[^:]*", from), code
  end
  local content = file:read("a")
  file:close()
  if content then
    local copy = assert(open(kit.to_write(to), "wb"))
    copy:write(content)
    copy:close()
  end
  kit.remove(from)
  return true
end
