---@meta agentlua.log

---Messages of the script, on standard error beside the progress of its agents.
---@class loglib
log = {}

---Says something that is shown with `AGENTLUA_LOG=debug`.
---@param ... any
function log.debug(...) end

---Says something that is shown unless the run is quiet.
---@param ... any
function log.info(...) end

---Warns; always shown.
---@param ... any
function log.warn(...) end

---Reports an error and goes on; always shown.
---@param ... any
function log.error(...) end

return log
