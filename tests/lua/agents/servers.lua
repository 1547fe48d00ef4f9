-- What `mcp_servers` takes: a mistake is an error at the script's line that names the server.
local model = agent.model {
  reply = function()
    return "done"
  end,
}
local function refused(servers, what, hint)
  local ok, e = pcall(agent.query, { prompt = "x", model = model, mcp_servers = servers })
  assert(not ok and e.kind == "usage", tostring(e))
  assert(e.message:find(what, 1, true), e.message)
  assert(not hint or (e.hint or ""):find(hint, 1, true), tostring(e.hint))
  assert(e.at and e.at:find("main.lua:", 1, true), "it has the script's line")
end
refused("x", "option `mcp_servers` must be a table of servers by name")
refused({ { command = "x" } }, "must be a table of servers by name")
refused({ ["a b"] = { command = "x" } }, "`a b`")
refused({ a__b = { command = "x" } }, "`a__b`")
refused({ s = "x" }, "server `s`: it must be a table, not string")
refused({ s = {} }, "server `s`: `mcp_servers` needs the option `command`")
refused({ s = { comand = "x" } }, "has no option `comand`", "did you mean `command`?")
refused({ s = { command = "x", args = "y" } }, "option `args` must be a list of strings")
refused({ s = { command = "x", cwd = "/" } }, "has no option `cwd`", "agent's directory")
refused({ s = { url = "http://h/" } }, "it has a `url` and no `type`", 'type = "http"')
refused({ s = { type = "http" } }, "needs the option `url`")
refused({ s = { type = "http", url = "h" } }, "server `s`: `h` is no URL")
refused({ s = { type = "http", url = "http://h/", headers = { ["x y"] = "1" } } }, "`x y`")
refused({ s = { type = "sse", url = "http://h/" } }, "`sse` is not offered", 'type = "http"')
refused({ s = { type = "grpc" } }, "there is no type `grpc`", "`stdio`")
assert(
  agent.query({ prompt = "x", model = model, mcp_servers = {} }).result == "done",
  "none is fine"
)
assert(
  agent.query({ prompt = "x", model = model, mcpServers = {} }).result == "done",
  "as in the SDK"
)

-- Why one cannot be reached is told, and never the secrets of its address. Without servers, `allowed_tools`
-- may leave an agent nothing, and a refusal says so.
local events = {}
local _, e = agent.try_query {
  prompt = "x",
  model = model,
  mcp_servers = { s = { type = "http", url = "http://me:pw@127.0.0.1:1/mcp?key=hidden" } },
  on_event = function(event)
    events[#events + 1] = json.encode(event)
  end,
}
assert(
  e.message:find("`http://127.0.0.1:1/mcp`) did not start: Connection refused", 1, true),
  e.message
)
assert(not (tostring(e) .. table.concat(events)):find("hidden"), tostring(e))
local told
agent.query {
  prompt = "x",
  allowed_tools = { "mcp__s__*" },
  model = agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = { { name = "Read", input = { file_path = "x" } } } }
      end
      told = request.results[1].content
      return "done"
    end,
  },
}
assert(told == "denied: this agent may not use Read; it has no tools", told)
-- An agent failed, which would be 1.
os.exit(0)
