---@meta agentlua.test

---What `agentlua test` runs: `local test = require "agentlua.test"`.
---@class testlib
local test = {}

---Runs a case, here and now, in a task of its own; what it started does not outlive it. Under
---`agentlua test` a case that fails is reported, and the file goes on; in a plain `agentlua run` it
---ends the script with its error.
---```lua
---local test = require "agentlua.test"
---test.case("the branch lands", function(t)
---  local repo = t.repo { ["notes.txt"] = "teh end\n" }
---  local run = t.run { "tidy.lua", repo = repo, model = "tidy_model.lua" }
---  t.equal(run.code, 0, run.stderr)
---  t.contains(repo:read "notes.txt", "the end")
---end)
---```
---@async
---@param name string
---@param fn fun(t: test.Context)
function test.case(name, fn) end

---Calls `fn` at the beginning of every case that follows.
---@param fn fun(t: test.Context)
function test.setup(fn) end

---What a case is given. A check that fails raises, and so ends the case.
---@class test.Context
---The name of the case.
---@field name string
local t = {}

---Checks that two values are the same: tables by what is in them, all the way down.
---@param actual any
---@param expected any
---@param what? string What it is about, for the report.
function t.equal(actual, expected, what) end

---Checks that a Lua pattern is found in `text`.
---@param text string
---@param pattern string
---@param what? string
function t.match(text, pattern, what) end

---Checks that `piece`, as it is, is found in `text`.
---@param text string
---@param piece string
---@param what? string
function t.contains(text, piece, what) end

---Checks that `value` is neither false nor nil.
---@param value any
---@param what? string
function t.truthy(value, what) end

---Checks that `value` is false or nil.
---@param value any
---@param what? string
function t.falsy(value, what) end

---What an error has to be.
---@class test.ExpectedError
---Its kind.
---@field kind? agent.Kind
---A piece of its message, or a pattern.
---@field message? string

---Checks that `fn` raises an error, and such a one, and returns it.
---@async
---@param fn fun()
---@param wanted? test.ExpectedError|string A string stands for `{ message = string }`.
---@param what? string
---@return agent.Error|any
function t.error(fn, wanted, what) end

---Fails.
---@param why? string
function t.fail(why) end

---Ends the case as one that cannot run here; it is counted apart.
---@param why? string
function t.skip(why) end

---Makes a git repository with one commit of these files, on the branch `main`. It goes when the case
---is over. A file that begins with `#!` can be run.
---@async
---@param files? table<string, string> Texts by path.
---@return test.Repo
---@nodiscard
function t.repo(files) end

---Runs a script with this agentlua, in an environment without anything of the user's: a home, settings
---and temporary files of its own, a fixed git identity, no keys. How it ended is what is returned, and
---no error. What it wrote is shown if the case fails.
---@async
---@param spec test.RunOptions
---@return test.Run
---@nodiscard
function t.run(spec) end

---`{ "x.lua", "argument", … }`: a script beside the test (`-` is standard input), its arguments, and:
---@class test.RunOptions
---The model of agents that name none: a `FILE.lua` beside the test, the text of such a file, or a name
---(default: none).
---@field model? string
---The recording that models answer from, beside the test (default: none).
---@field replay? string
---Where it runs: what `t.repo` returned, or a folder beside the test (default: an empty folder).
---@field repo? test.Repo|string
---Variables (default: none but what tools need).
---@field env? table<string, string>
---Further flags of `agentlua run` (default: none).
---@field flags? string[]
---What it reads (default: nothing).
---@field stdin? string
---Seconds that it may take (default: what the whole file has).
---@field timeout? number

---How a run ended.
---@class test.Run
---The exit code; 128 and the signal if one ended it.
---@field code integer
---How it ended, in a word: `degraded` is a run in which an agent failed.
---@field status "completed"|"degraded"|"failed"|"interrupted"
---What the script printed.
---@field stdout string
---What agentlua said of it: progress, warnings, the error that ended it.
---@field stderr string
---The id of the run.
---@field run? string
---What the script returned.
---@field result? any
---The outcomes of its agents, in the order in which they ended.
---@field agents table[]
---What ended it.
---@field error? test.RunError
---The tokens of all agents.
---@field usage? agent.Usage
---What it cost, if every price is known.
---@field total_cost_usd? number
---How long it took.
---@field duration_ms integer

---What ended a run.
---@class test.RunError
---What went wrong, for programs; nil for a value that the script itself raised.
---@field kind? agent.Kind
---What went wrong, for people.
---@field message string
---The next thing to type or to change.
---@field hint? string
---The line that it belongs to.
---@field at? string

---A git repository of a case.
---@class test.Repo
---Where it is.
---@field path string
local repo = {}

---What a command in a repository of a case gets.
---@class test.ShellOptions
---Variables on top of the case's own (default: none).
---@field env? table<string, string>
---What it reads (default: nothing).
---@field stdin? string
---Seconds that it may take (default: what the whole file has).
---@field timeout? number

---Runs a shell command in it. One that fails is a result, not an error.
---@async
---@param cmd string
---@param options? test.ShellOptions
---@return sh.Result
function repo:sh(cmd, options) end

---Runs a shell command in it, which has to succeed.
---@async
---@param cmd string
---@param options? test.ShellOptions
---@return sh.Result
function repo:check(cmd, options) end

---Returns the text of a file.
---@param path string
---@return string
---@nodiscard
function repo:read(path) end

---Writes a file, with its folders; it is not committed.
---@async
---@param path string
---@param text string
function repo:write(path, text) end

return test
