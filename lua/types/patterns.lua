---@meta agentlua.patterns

---Ways to get more out of agents than one of them gives: `local patterns = require "agentlua.patterns"`. They are plain
---Lua over what every script has (`lua/patterns.lua`), to be read, copied and changed.
---@class patternslib
local patterns = {}

---The options of `patterns.vote`.
---@class patterns.VoteOptions
---How many agents are asked (default: 3).
---@field n? integer
---What makes two answers the same, never nil (default: all of the value, or the text without case and final stop).
---@field key? fun(outcome: agent.Outcome): any

---What most agents said.
---@class patterns.Vote
---The answer: the value for the schema, or the text.
---@field value any
---How many gave it.
---@field votes integer
---How many were asked.
---@field of integer
---Whether more than half of those asked gave it.
---@field majority boolean
---The first outcome with that answer.
---@field outcome agent.Outcome

---The options of `patterns.judge`.
---@class patterns.JudgeOptions
---What the candidates were to do (default: it is not said).
---@field task? string
---How many judges, or what each of them looks at (default: correctness, simplicity, tests).
---@field judges? integer|string[]
---More for the judges' queries, such as `model` (default: nothing).
---@field query? table<string, any>

---A candidate as a panel sees it.
---@class patterns.Place
---The text or outcome.
---@field candidate string|agent.Outcome
---Its place among those that were given.
---@field index integer
---From 0 to 10, the mean of all judges.
---@field score number
---What the judges said of it.
---@field notes string[]

---A try as a panel sees it.
---@class patterns.Try: patterns.Place
---The outcome.
---@field candidate agent.Outcome

---The options of `patterns.best_of`: those of `patterns.judge`, whose `task` is the query's prompt.
---@class patterns.BestOptions: patterns.JudgeOptions
---How many agents try (default: 3).
---@field n? integer

---The options of `patterns.until_dry`.
---@class patterns.DryOptions
---How many rounds in a row bring nothing new before it ends (default: 2).
---@field dry? integer
---How many rounds there are at most (default: 10).
---@field max_rounds? integer
---What makes two items the same, never nil (default: all of it).
---@field key? fun(item: any): any

---The options of `patterns.gate`.
---@class patterns.GateOptions
---How often the work is looked at before it is given up (default: 3).
---@field attempts? integer

---Asks several agents the same, each for itself, and counts what they answer. One that fails has no vote; when all
---fail, the last error is raised. Of two answers with as many votes, the one of the voter with the lower number wins,
---whoever was first to answer. Skeptics that try to refute a finding are the best use of it.
---
---```lua
---local patterns = require "agentlua.patterns"
---local answer = patterns.vote({
---  prompt = "Try to refute this: the cache is never emptied.",
---  read_only = true,
---  schema = { refuted = "boolean" },
---}, { n = 5 })
---print(answer.value.refuted, answer.votes .. " of " .. answer.of)
---```
---@async
---@param query agent.Query|string
---@param opts? patterns.VoteOptions
---@return patterns.Vote
---@nodiscard
function patterns.vote(query, opts) end

---Lets a panel score candidates, texts or outcomes with their changes, and returns them with the best one first; of two
---with the same score, the one with the lower index. Every judge sees them in another order.
---@async
---@param candidates (string|agent.Outcome)[]
---@param opts? patterns.JudgeOptions
---@return patterns.Place[]
---@nodiscard
function patterns.judge(candidates, opts) end

---Lets several agents do the same task, each on a branch of its own, and returns the outcome that a panel likes best, and
---the ranking; of two with the same score, the lower number is first. The others are removed; what they had is kept
---under `refs/agentlua/removed`.
---
---```lua
---local patterns = require "agentlua.patterns"
---local outcome = patterns.best_of({ prompt = "Make the parser faster.", verify = "make test" }, { n = 4 })
---git.merge(outcome)
---```
---@async
---@param query agent.Query|string
---@param opts? patterns.BestOptions
---@return agent.Outcome outcome
---@return patterns.Try[] ranking
function patterns.best_of(query, opts) end

---Calls `find` until nothing new is found, and returns all that was found, the number of rounds, and whether that is all:
---`false` when it stopped at `max_rounds`.
---@async
---@generic T
---@param find async fun(round: integer, found: T[]): T[]?
---@param opts? patterns.DryOptions
---@return T[] found
---@return integer rounds
---@return boolean dry
function patterns.until_dry(find, opts) end

---Lets an agent's work through only when it is accepted; what is said against it goes back to the agent, which goes on
---in its own conversation and worktree. Returns the outcome and the attempt that passed; raises when none did.
---@async
---@param query agent.Query|string
---@param check string[]|async fun(outcome: agent.Outcome, attempt: integer): boolean, string? what reviewers look for, or a function that says whether, or why not
---@param opts? patterns.GateOptions
---@return agent.Outcome outcome
---@return integer attempt
function patterns.gate(query, check, opts) end

return patterns
