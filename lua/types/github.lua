---@meta agentlua.github

---Pull requests and issues. Nothing of it is built yet: every function of it says so.
---@class githublib
github = {}

return github
