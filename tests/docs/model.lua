-- Plays every agent of the pages in docs/. It looks at the file that its prompt names, adds a line to it
-- (or writes it), calls each tool of the script once, and answers in the form that it is asked for.

local builtin = {
  Agent = true,
  Bash = true,
  Edit = true,
  Glob = true,
  Grep = true,
  Read = true,
  StructuredOutput = true,
  WebFetch = true,
  Write = true,
}

local function call(name, input)
  return { tools = { { name = name, input = input } } }
end

-- Something that fits a schema.
local function sample(schema)
  local kind = type(schema.type) == "table" and schema.type[1] or schema.type
  if schema.enum then
    return schema.enum[1]
  elseif kind == "object" or schema.properties then
    local object = {}
    for name, field in pairs(schema.properties or {}) do
      object[name] = sample(field)
    end
    return object
  elseif kind == "array" then
    return json.array { sample(schema.items or {}) }
  elseif kind == "integer" or kind == "number" then
    return schema.minimum or 1
  elseif kind == "boolean" then
    return true
  end
  return "src/auth/login.js"
end

-- The first path that the prompt names, without the dot of its sentence.
local function named(prompt)
  for word in prompt:gmatch("[%w_%-%./]+") do
    local path = word:gsub("%.+$", "")
    if not word:find("^//?") and path:find("%w[/%.]%w") and not path:find("^%d") then
      return path
    end
  end
end

-- What Read showed, without its numbers and without the marks of a conflict.
local function unnumbered(shown)
  local lines = {}
  for line in (shown .. "\n"):gmatch("(.-)\n") do
    local text = line:match("^%s*%d+[\t→](.*)$")
    if text and not text:find("^[<=>|][<=>|][<=>|][<=>|]") then
      lines[#lines + 1] = text .. "\n"
    end
  end
  return table.concat(lines)
end

local comments = { js = "//", lua = "--", ts = "//" }

return agent.model {
  name = "player",
  reply = function(request)
    local offered, own = {}, {}
    for _, tool in ipairs(request.tools) do
      offered[tool.name] = tool
      if not builtin[tool.name] then
        own[#own + 1] = { name = tool.name, input = sample(tool.input_schema) }
      end
    end
    local task = request.prompt:match("[^\n]+")
    local path = named(request.prompt)
      or ("notes/%s.md"):format(task:lower():gsub("%W+", "-"):sub(1, 24))
    if request.turn == 1 and offered.Read then
      table.insert(own, 1, { name = "Read", input = { file_path = path } })
    end
    if request.turn == 1 and #own > 0 then
      return { tools = own, usage = { input_tokens = 900, output_tokens = 40 } }
    elseif request.turn == 2 and offered.Write then
      local read = request.results[1]
      local is_folder = read.is_error and not path:find("%.%w+$")
      local file = is_folder and path:gsub("/$", "") .. "/notes.md" or path
      local before = read.is_error and "" or unnumbered(read.content)
      local mark = comments[file:match("%.(%w+)$")] or "#"
      return call("Write", { file_path = file, content = before .. mark .. " " .. task .. "\n" })
    elseif offered.StructuredOutput and request.turn <= 3 then
      return call("StructuredOutput", sample(offered.StructuredOutput.input_schema))
    end
    return { text = "Done: " .. task, usage = { input_tokens = 1200, output_tokens = 60 } }
  end,
}
