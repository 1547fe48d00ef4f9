-- repo
-- Directories beside the worktree: read and written there, never the checkout, never committed.
fs.mkdir("../beside/sub")
fs.write("../beside/notes.txt", "from beside\n")
fs.write("untracked.txt", "of the main checkout\n")
local beside = sh.check("cd ../beside && pwd -P").stdout:gsub("%s+$", "")
local here = sh.check("pwd -P").stdout:gsub("%s+$", "")
local first, results
local function query(calls, more)
  local spec = {
    prompt = "x",
    model = agent.model {
      reply = function(request)
        if request.turn == 1 then
          first = request.messages[1]
          return { tools = calls }
        end
        results = request.results
        return "done"
      end,
    },
  }
  for key, value in pairs(more) do
    spec[key] = value
  end
  return agent.query(spec)
end

local outcome = query({
  { name = "Read", input = { file_path = beside .. "/notes.txt" } },
  { name = "Write", input = { file_path = beside .. "/new.txt", content = "new" } },
  { name = "Glob", input = { pattern = "*.txt", path = beside } },
  { name = "Grep", input = { pattern = "beside", path = beside, output_mode = "content" } },
  { name = "Read", input = { file_path = here .. "/untracked.txt" } },
  { name = "Write", input = { file_path = here .. "/made.txt", content = "x" } },
  { name = "Write", input = { file_path = "own.txt", content = "x" } },
}, { branch = "b", add_dirs = { "../beside", "." } })
assert(
  json.encode(first):find("further directory: " .. beside, 1, true),
  "the model is told of them"
)
assert(results[1].content == "     1\tfrom beside", results[1].content)
assert(fs.read("../beside/new.txt") == "new", "written there")
assert(results[3].content:find(beside .. "/new.txt", 1, true), results[3].content)
assert(results[4].content == beside .. "/notes.txt:1:from beside", results[4].content)
assert(results[5].content:find("of the main checkout", 1, true), "the checkout is read")
assert(results[6].is_error and results[6].content:find("is only read", 1, true), results[6].content)
assert(not fs.exists("made.txt"), "and not written")
assert(
  #outcome.files_changed == 1 and outcome.files_changed[1] == "own.txt",
  "only its own work counts"
)

query({
  { name = "Write", input = { file_path = beside .. "/other.txt", content = "x" } },
}, { scope = { "src/" }, add_dirs = { beside } })
assert(results[1].content:find("outside the scope", 1, true), results[1].content)

local function refused(dirs, what)
  local ok, e = pcall(query, {}, { add_dirs = dirs })
  assert(not ok and e.kind == "usage" and e.message:find(what, 1, true), tostring(e))
end
refused({ "nowhere" }, "names no directory: `nowhere`")
refused({ ".git/hooks" }, "is inside `.git`")
refused("x", "must be a list of strings")
