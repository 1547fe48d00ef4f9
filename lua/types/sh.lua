---@meta agentlua.sh

---Where a command runs, and with what.
---@class sh.Options
---Where the command runs (default: where agentlua was started).
---@field cwd? string
---Variables on top of agentlua's own environment (default: none).
---@field env? table<string, string>
---What it reads (default: nothing).
---@field stdin? string
---Seconds that it may take (default: a day).
---@field timeout? number
---Whether its result is kept: a run that is resumed has it again, and does not run the command. An id instead of `true` makes it one command for the whole run, wherever it is called. Another command under that id, or at that place, is run; so is one that was cut off, and one that `sh.check` has failed (default: false).
---@field once? boolean|string

---A program, run without a shell.
---@class sh.Program: sh.Options
---The program.
---@field cmd string
---Its arguments (default: none).
---@field args? string[]

---How a command ended.
---@class sh.Result
---Whether it ended with 0.
---@field ok boolean
---The exit code; nil when a signal ended it.
---@field code? integer
---What it wrote to standard output.
---@field stdout string
---What it wrote to standard error.
---@field stderr string

---Runs commands of the script itself: `sh "make"`. A command that fails is a result, not an error.
---```lua
---local test = sh("npm test", { timeout = 600 })
---if not test.ok then
---  print(test.code, test.stderr)
---end
---```
---@class shlib
---@overload async fun(cmd: string, options?: sh.Options): sh.Result
sh = {}

---Runs a shell command; raises unless it ends with 0.
---@async
---@param cmd string
---@param options? sh.Options
---@return sh.Result
function sh.check(cmd, options) end

---Is `sh.check`, and returns `nil, e` for a failure.
---@async
---@param cmd string
---@param options? sh.Options
---@return sh.Result? result
---@return agent.Error e
function sh.try_check(cmd, options) end

---Runs a program without a shell.
---```lua
---sh.run { cmd = "git", args = { "tag", "a name; with anything in it" } }
---```
---@async
---@param options sh.Program
---@return sh.Result
function sh.run(options) end

---Is `sh.run`, and returns `nil, e` when the program cannot be run or takes too long.
---@async
---@param options sh.Program
---@return sh.Result? result
---@return agent.Error e
function sh.try_run(options) end

return sh
