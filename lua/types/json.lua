---@meta agentlua.json

---How `json.encode` writes.
---@class json.EncodeOptions
---Whether to put members on lines of their own (default: false).
---@field indent? boolean

---JSON: values as text, and back.
---@class jsonlib
---Null, in lists only: a null member is absent in Lua.
---@field null lightuserdata
json = {}

---Turns a value into JSON; raises for what JSON cannot hold.
---@param value any
---@param options? json.EncodeOptions
---@return string
---@nodiscard
function json.encode(value, options) end

---Turns JSON into a value.
---@param text string
---@return any
---@nodiscard
function json.decode(text) end

---Is `json.decode`, and returns `nil, e` for text that is no JSON.
---@param text string
---@return any value
---@return agent.Error e
function json.try_decode(text) end

---Marks a table as a list, so that an empty one is `[]`.
---```lua
---print(json.encode { files = json.array {} }) -- {"files":[]}
---```
---@generic T
---@param items? T[]
---@return T[]
---@nodiscard
function json.array(items) end

return json
