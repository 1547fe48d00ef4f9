-- An MCP server that speaks through standard input and output, one JSON message a line:
-- `agentlua run server.lua [MODE]`. MODE `crashes` ends it before it answers.
local mode = arg[1] or "works"
if mode == "crashes" then
  io.stderr:write("cannot find my database\n")
  os.exit(3)
end

local function text(words)
  return { content = { { type = "text", text = words } } }
end

local PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

local calls = {
  echo = function(input)
    return text("echo: " .. tostring(input.message))
  end,
  where = function()
    return text(sh.check("pwd").stdout:gsub("%s+$", ""))
  end,
  variable = function(input)
    return text(tostring(os.getenv(input.name)))
  end,
  refuse = function()
    return { content = { { type = "text", text = "not today" } }, isError = true }
  end,
  structured = function()
    return { content = json.array {}, structuredContent = { answer = 42 } }
  end,
  picture = function()
    return { content = { { type = "image", data = PIXEL, mimeType = "image/png" } } }
  end,
  long = function()
    return text(("x"):rep(50000))
  end,
  family = function(input)
    -- A child that outlives its parent, unless somebody ends the whole group.
    local started = io.popen("sleep 300 >/dev/null 2>&1 & echo $! $PPID"):read("a")
    fs.write(input.file, started)
    return text(started)
  end,
  die = function()
    io.stderr:write("out of memory\n")
    os.exit(1)
  end,
}

local function described(name, hints)
  return {
    name = name,
    description = "Does " .. name .. ".",
    inputSchema = { type = "object", properties = { message = { type = "string" } } },
    annotations = hints,
  }
end

local pages = {
  [""] = {
    tools = {
      described("where"),
      described("echo", { readOnlyHint = true }),
      described("variable"),
    },
    nextCursor = "2",
  },
  ["2"] = {
    tools = {
      described("refuse"),
      described("structured"),
      described("picture"),
      described("long"),
      described("family"),
      described("die"),
      { name = "bare.name", inputSchema = { type = "object" } },
    },
  },
}

local methods = {
  initialize = function(params)
    return {
      protocolVersion = params.protocolVersion,
      capabilities = { tools = { listChanged = true } },
      serverInfo = { name = "demo", version = "1" },
    }
  end,
  ["tools/list"] = function(params)
    return pages[params and params.cursor or ""]
  end,
  ["tools/call"] = function(params)
    return calls[params.name](params.arguments or {})
  end,
}

for line in io.lines() do
  local message = json.decode(line)
  if message.id then
    local method = methods[message.method]
    local reply = { jsonrpc = "2.0", id = message.id }
    if method then
      reply.result = method(message.params)
    else
      reply.error = { code = -32601, message = "no method " .. message.method }
    end
    io.write(json.encode(reply), "\n")
    io.flush()
  end
end
