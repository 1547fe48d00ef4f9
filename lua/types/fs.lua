---@meta agentlua.fs

---What `fs.remove` removes.
---@class fs.RemoveOptions
---Whether a directory goes with all that is in it (default: false).
---@field recursive? boolean

---Files of the script itself, relative to where agentlua was started.
---@class fslib
fs = {}

---Returns what a file holds.
---@param path string
---@return string
---@nodiscard
function fs.read(path) end

---Is `fs.read`, and returns `nil, e` for a failure.
---@param path string
---@return string? content
---@return agent.Error e
function fs.try_read(path) end

---Writes a file in one step, in place of the old one.
---@param path string
---@param content string
function fs.write(path, content) end

---Is `fs.write`, and returns `nil, e` for a failure.
---@param path string
---@param content string
---@return nil
---@return agent.Error e
function fs.try_write(path, content) end

---Adds to the end of a file.
---@param path string
---@param content string
function fs.append(path, content) end

---Is `fs.append`, and returns `nil, e` for a failure.
---@param path string
---@param content string
---@return nil
---@return agent.Error e
function fs.try_append(path, content) end

---Reports whether there is such a file or directory.
---@param path string
---@return boolean
---@nodiscard
function fs.exists(path) end

---Returns the names in a directory, sorted (default: where agentlua was started).
---@param path? string
---@return string[]
---@nodiscard
function fs.list(path) end

---Is `fs.list`, and returns `nil, e` for a failure.
---@param path? string
---@return string[]? names
---@return agent.Error e
function fs.try_list(path) end

---Returns the files that match a pattern such as `src/**/*.rs`, sorted.
---```lua
---for _, file in ipairs(fs.glob "src/**/*.rs") do
---  print(file, #fs.read(file))
---end
---```
---@param pattern string
---@return string[]
---@nodiscard
function fs.glob(pattern) end

---Makes a directory, with those above it.
---@param path string
function fs.mkdir(path) end

---Is `fs.mkdir`, and returns `nil, e` for a failure.
---@param path string
---@return nil
---@return agent.Error e
function fs.try_mkdir(path) end

---Removes a file or an empty directory.
---@param path string
---@param options? fs.RemoveOptions
function fs.remove(path, options) end

---Is `fs.remove`, and returns `nil, e` for a failure.
---@param path string
---@param options? fs.RemoveOptions
---@return nil
---@return agent.Error e
function fs.try_remove(path, options) end

return fs
