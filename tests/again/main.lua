-- One agent that writes, commits something itself, edits what it has written before it was cut off, and
-- says that it is done. What its model was asked is noted outside, and whether calls and results fit.
local notes = os.getenv("NOTES")
local function note(text)
  local file <close> = assert(io.open(notes, "a"))
  file:write(text, "\n")
end

local function call(name, input)
  return { name = name, input = input }
end

local steps = {
  { call("Write", { file_path = "a.txt", content = "one\n" }) },
  {
    call(
      "Bash",
      { command = "test -f b.txt || { echo b > b.txt && git add b.txt && git commit -qm own; }" }
    ),
  },
  { call("Edit", { file_path = "a.txt", old_string = "one", new_string = "two" }) },
  {
    call("Write", { file_path = "c/d.txt", content = "c\n" }),
    call("Bash", { command = "echo l > x.log; rm -f README.md" }),
  },
}

-- What a model does that was told that it was interrupted: it makes sure of the state.
local redo = {
  { call("Bash", { command = "printf 'one\\n' > a.txt" }), call("Read", { file_path = "a.txt" }) },
  steps[2],
  { call("Bash", { command = "printf 'two\\n' > a.txt" }) },
  {
    call(
      "Bash",
      { command = "mkdir -p c; printf 'c\\n' > c/d.txt; echo l > x.log; rm -f README.md" }
    ),
  },
}

-- Each call of a reply has its result in the message behind it, in order, and no result is alone.
local function check(messages)
  for index, message in ipairs(messages) do
    local expected, found = {}, {}
    local before = messages[index - 1]
    for _, block in ipairs(before and before.role == "assistant" and before.content or {}) do
      if block.type == "tool_use" then
        table.insert(expected, block.id)
      end
    end
    for _, block in ipairs(message.role == "user" and message.content or {}) do
      if block.type == "tool_result" then
        table.insert(found, block.tool_use_id)
      end
    end
    assert(table.concat(expected, " ") == table.concat(found, " "), "calls and results do not fit")
  end
end

local usage = { input_tokens = 10, output_tokens = 1 }
local worker = agent.model {
  name = "worker",
  reply = function(request)
    check(request.messages)
    local done, interrupted = 0, false
    for _, message in ipairs(request.messages) do
      if message.role == "user" and message.content[1].type == "tool_result" then
        for _, block in ipairs(message.content) do
          if block.type == "text" then
            note("heard " .. block.text:gsub("%s+", " "))
          end
        end
        interrupted = message.content[1].content:find("^interrupted: this call may have run") ~= nil
        done = done + (interrupted and 0 or 1)
        for _, block in ipairs(message.content) do
          assert(interrupted or not block.is_error, block.content)
        end
      end
    end
    note(("asked %d%s"):format(request.turn, interrupted and " interrupted" or ""))
    if steps[done + 1] then
      return { tools = (interrupted and redo or steps)[done + 1], usage = usage }
    end
    return { text = "done", usage = usage }
  end,
}
agent.config { prices = { worker = { input = 1, output = 1 } } }

local ok, found = pcall(agent.query, {
  prompt = "work",
  branch = "work/one",
  model = worker,
  verify = os.getenv("VERIFY"),
  commit = os.getenv("COMMIT") ~= "no",
  max_turns = tonumber(os.getenv("TURNS") or "20"),
})
return ok and found or found.outcome
