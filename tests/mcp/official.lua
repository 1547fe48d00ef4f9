-- An agent with the official servers: `everything` as a program and as a host, `filesystem` as a program.
local bin, url = arg[1], arg[2]
local calls = {
  { name = "mcp__files__read_text_file", input = { path = "a.txt" } },
  { name = "mcp__files__write_file", input = { path = "b.txt", content = "written" } },
  { name = "mcp__files__read_text_file", input = { path = "/etc/passwd" } },
}
for _, server in ipairs { "program", "host" } do
  for _, call in ipairs {
    { name = "echo", input = { message = "hello" } },
    { name = "get-sum", input = { a = 2, b = 3 } },
    { name = "get-tiny-image" },
    { name = "get-structured-content", input = { location = "New York" } },
    { name = "get-resource-links", input = { count = 2 } },
    { name = "get-resource-reference", input = { resourceType = "Text", resourceId = 1 } },
    { name = "trigger-long-running-operation", input = { duration = 1, steps = 2 } },
    { name = "echo", input = {} },
  } do
    calls[#calls + 1] = { name = "mcp__" .. server .. "__" .. call.name, input = call.input }
  end
end

local results
local outcome = agent.query {
  prompt = "use them all",
  mcp_servers = {
    files = { command = bin .. "/mcp-server-filesystem", args = { "." } },
    program = { command = bin .. "/mcp-server-everything", args = { "stdio" } },
    host = { type = "http", url = url },
  },
  model = agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = calls }
      end
      results = request.results
      return "done"
    end,
  },
}
assert(outcome.ok, "the agent has ended well")

local function is(i, what, is_error)
  local result = results[i]
  local told = calls[i].name .. ": " .. result.content
  assert(result.content:find(what, 1, true), told)
  assert(result.is_error == (is_error or false), told)
end
is(1, "kept in a file")
is(2, "b.txt")
assert(fs.read("b.txt") == "written", "the server works in the agent's directory")
is(3, "ccess denied", true)
for first = 4, #calls, 8 do
  is(first, "hello")
  is(first + 1, "5")
  is(first + 2, "this model does not take pictures")
  is(first + 3, '"temperature"')
  is(first + 4, "[resource ")
  is(first + 5, "[resource ")
  is(first + 6, "ompleted")
  is(first + 7, "Invalid arguments", true)
end
