-- What lines of the REPL share: variables of the session before globals. A variable is declared when a
-- line that has it as a `local` is compiled, and there from its first assignment on: until then its
-- name is the global's, so that `local print = print` means what it says.
local globals = _G
local declared, bound, values = {}, {}, {}

local environment = setmetatable({}, {
  __index = function(_, name)
    if bound[name] then
      return values[name]
    end
    return globals[name]
  end,
  __newindex = function(_, name, value)
    if declared[name] then
      bound[name], values[name] = true, value
    else
      globals[name] = value
    end
  end,
})

return {
  declared = declared,
  environment = environment,
  values = values,
}
