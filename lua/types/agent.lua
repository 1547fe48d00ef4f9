---@meta agentlua.agent

---What can be run: a query, a prompt, a function or a task.
---@alias agent.Item agent.Query|string|agent.Task|fun(...): ...

---@alias agent.Subtype
---| "success"
---| "error_max_turns"
---| "error_max_budget_usd"
---| "error_timeout"
---| "error_cancelled"
---| "error_refusal"
---| "error_during_execution"
---| "error_structured_output"
---| "error_verify"
---| "error_worktree"
---| "error_scope"

---What a worktree gets. What is not said is as in `agent.config { worktree = … }`.
---@class agent.WorktreeOptions
---Directories to check out, with the files of those above them (default: all, or as sparse as the checkout is).
---@field sparse? string[]
---Files that git ignores, to be copied: those that `.worktreeinclude` names, none, or those that these patterns name (default: true).
---@field include? boolean|string[]
---A command that prepares it, once; `false` for none (default: the one of `agent.config`).
---@field setup? string|false
---Whether to fill submodules; else they are empty folders (default: false).
---@field submodules? boolean
---Whether the files are in memory only; `true` is not built yet (default: false).
---@field virtual? boolean

---What every worktree gets unless its query says otherwise.
---@class agent.WorktreeDefaults
---Files that git ignores, to be copied: those that `.worktreeinclude` names, none, or those that these patterns name (default: true).
---@field include? boolean|string[]
---A command that prepares it, once (default: none).
---@field setup? string

---The options of `agent.query`. The Agent SDK's camelCase spellings are accepted too.
---@class agent.Query
---The task; not empty.
---@field prompt string
---The name that people see (default: the item's key, the branch or the prompt).
---@field label? string
---`"anthropic/…"`, `"openai/…"`, `"ollama/…"`, or a model made by `agent.model` (default: the run's).
---@field model? string|agent.Model
---The system prompt (default: agentlua's own).
---@field system_prompt? string
---What follows the system prompt (default: nothing).
---@field append_system_prompt? string
---Whether the agent works in a worktree of its own, or what that gets; or an outcome, an ended task or a worktree to work on in (default: false; true beside `branch`, `base`, `scope`, `dirty` or `commit`).
---@field worktree? boolean|agent.WorktreeOptions|agent.Outcome|agent.Task|git.Worktree
---The new branch (default: `agentlua/<agent id>`).
---@field branch? string
---What to do when the branch exists: `"number"` takes the first free one of `x-2`, `x-3`…, `"continue"` goes on from its head, in the worktree of the ended agent that holds it (default: `"error"`).
---@field if_exists? "error"|"number"|"continue"
---The revision that the branch starts from (default: HEAD at the moment the agent starts).
---@field base? git.Revision
---What becomes of uncommitted changes of the main checkout: they stay there, the agent does not begin, or a commit of them is its base (default: `"ignore"`).
---@field dirty? "ignore"|"fail"|"copy"
---Paths from the worktree's top that the agent may write: files, directories with all below them, globs such as `src/**/*.rs`; `{}` is none. Tools refuse other paths; what a command changes there stays uncommitted, and the agent fails with `error_scope` and `e.paths` (default: the whole worktree).
---@field scope? string[]
---`"Bash(git diff *)"` (or `"Bash(git diff:*)"`) covers commands that begin so; `*` may stand anywhere, and without one the rule is that command to the letter. A command of several parts runs if each of them is covered; beside one that is, others may run that only look at what the agent may read, such as `| tail`. Redirections are checked as `Edit` and `Read`. A rule says how a command begins, and not that it only reads: `git diff --output=f` writes.
---
---`"Edit(src/**)"` (for `Write` too), `"Read(./x)"`, `"Read(/from-the-top)"`, `"Read(~/x)"`, `"Read(//absolute)"` are as in `.gitignore`. Further `"mcp__server"`, `"mcp__server__*"`, `"mcp__server__tool"`, `"WebFetch(domain:example.com)"`, `"Agent(name)"`; `WebFetch` and `Agent` are offered only where they are listed.
---
---Tools and rules; only what is listed is offered and runs (default: all with a worktree, else `Read`, `Glob` and `Grep`).
---@field allowed_tools? string[]
---Tools and rules that are refused, whatever else allows them. Rules about `Read` cover `Grep` and `Glob` where these name a path, and files that commands name; a search of everything passes over all that git does not ignore (default: none).
---@field disallowed_tools? string[]
---Whether the agent may only look: `Write` and `Edit` are not offered, Bash runs only commands that read, nothing is committed, and worktree and branch go at the end. Tools of the script are offered all the same, those of servers where they are listed (default: false).
---@field read_only? boolean
---Asked about every call that the rules leave open: those that neither list names, which without `allowed_tools` are all. `true` runs it, `false, why` refuses it, nothing leaves it to the rules. It lifts no refusal and no confinement; an error in it ends the agent (default: what the rules leave open runs where all is allowed, and is refused where rules are listed).
---@field can_use_tool? fun(name: string, input: table<string, any>, ctx: agent.CallContext): boolean|agent.Permission|nil, string?
---Functions that are told of steps of the agent, and may change or stop them (default: none).
---@field hooks? agent.Hooks
---Further tools, made by `agent.tool`; allowed without being listed (default: none).
---@field tools? agent.Tool[]
---Model round trips (default: 20).
---@field max_turns? integer
---Tokens that one reply may have (default: the model's own).
---@field max_output_tokens? integer
---Seconds that the agent may take (default: no limit).
---@field timeout? number
---Seconds that the model may be silent (default: 90).
---@field idle_timeout? number
---Whether the work is committed at the end; a string is the message (default: true, with the label).
---@field commit? boolean|string
---The repository to work on (default: the one around `cwd`).
---@field repo? string
---Where an agent without a worktree works (default: where agentlua was started).
---@field cwd? string
---Variables for commands, merged into an allow-listed environment without keys. Beside it they find `AGENTLUA_AGENT`, `AGENTLUA_RUN`, `AGENTLUA_BRANCH`, `AGENTLUA_WORKTREE`, `AGENTLUA_BASE_COMMIT`, `COMPOSE_PROJECT_NAME`, a `PORT` that no sibling has, and a `GIT_CONFIG_GLOBAL` that reads as yours and is the agent's to write (default: none).
---@field env? table<string, string>

---How an agent ended. Reading a field that there is not is an error; camelCase spellings are answered too.
---@class agent.Outcome
---Whether the agent succeeded.
---@field ok boolean
---Which way it ended.
---@field subtype agent.Subtype
---The final text.
---@field result string
---What fitted the schema; not filled yet.
---@field structured_output any
---The agent's id, such as `agent-a3f2`.
---@field id string
---The conversation's id.
---@field session_id string
---The name that people see.
---@field label string
---The branch; nil without a worktree.
---@field branch? string
---The worktree; nil without one, and when it was removed because nothing changed.
---@field worktree_path? string
---The commit that it started from.
---@field base_commit? string
---The commit that holds its work; nil without a worktree.
---@field head_commit? string
---Paths that differ from the base; empty without a worktree.
---@field files_changed string[]
---Model round trips.
---@field num_turns integer
---Milliseconds from the moment it had its place.
---@field duration_ms integer
---Milliseconds spent on model requests.
---@field duration_api_ms integer
---Tokens.
---@field usage agent.Usage
---USD; nil when a price is unknown.
---@field total_cost_usd? number
---The last reply's stop reason.
---@field stop_reason? string
---Calls that the rules refused.
---@field permission_denials agent.Denial[]

---Tokens, in Anthropic's meaning for every provider.
---@class agent.Usage
---Input that no cache served.
---@field input_tokens integer
---What the model wrote.
---@field output_tokens integer
---Input that was read from a cache.
---@field cache_read_input_tokens integer
---Input that was written to a cache.
---@field cache_creation_input_tokens integer

---A call that the rules refused.
---@class agent.Denial
---The tool.
---@field tool_name string
---The call's id.
---@field tool_use_id string
---What it was called with.
---@field tool_input table<string, any>

---What `agent.all_settled` and `agent.map_settled` say of an item.
---@class agent.Settled
---Whether it succeeded.
---@field ok boolean
---What it returned; an outcome, for a query.
---@field value? any
---What it raised.
---@field error? agent.Error|any
---The outcome, also of a failed query.
---@field outcome? agent.Outcome

---@class agent.GroupOptions
---Items that run at once (default: all; agents are limited by `concurrency` too).
---@field limit? integer

---@class agent.ModelOptions
---The name in logs (default: `lua`).
---@field name? string
---Answers a request; may wait and may raise.
---@field reply fun(request: agent.Request): string|agent.Reply

---A model written in Lua, made by `agent.model`.
---@class agent.Model

---What a model written in Lua is asked.
---@class agent.Request
---The round trip, from 1.
---@field turn integer
---The task.
---@field prompt string
---The system prompt.
---@field system string
---The conversation, in the form of the Messages API.
---@field messages table[]
---The tools that may be called.
---@field tools agent.OfferedTool[]
---Results of the last turn's calls, in their order.
---@field results agent.ToolResult[]

---@class agent.OfferedTool
---Its name.
---@field name string
---What it is for.
---@field description string
---The JSON Schema of its input.
---@field input_schema table<string, any>

---@class agent.ToolResult
---The call's id.
---@field id string
---The tool.
---@field name string
---What the tool said.
---@field content string
---Whether the call failed.
---@field is_error boolean

---What a model written in Lua answers.
---@class agent.Reply
---The text (default: none).
---@field text? string
---Calls; with one the conversation goes on (default: none).
---@field tools? agent.ToolCall[]
---Tokens to count (default: 0 of each).
---@field usage? table<string, integer>
---Why the reply ends (default: `"tool_use"` with calls, else `"end_turn"`).
---@field stop_reason? string

---@class agent.ToolCall
---The tool.
---@field name string
---Its arguments (default: none).
---@field input? table<string, any>

---@class agent.ToolOptions
---1 to 64 letters, digits, `_` or `-`.
---@field name string
---What the model is told of it.
---@field description string
---The input: a JSON Schema, or short as in `{ path = "string", line = "integer?" }` (default: no input).
---@field input? table<string, any>
---Does it. Returns a string or a table; `nil, message` is a failed call, and so is an error.
---@field run fun(input: table<string, any>, ctx: agent.ToolContext): string|table|nil, string?
---Whether calls may run side by side (default: false).
---@field read_only? boolean

---A tool written in Lua, made by `agent.tool`.
---@class agent.Tool

---What `can_use_tool` may answer; the Agent SDK's spelling is accepted too.
---@class agent.Permission
---Whether the call runs.
---@field behavior "allow"|"deny"
---What it runs with instead.
---@field updated_input? table<string, any>
---Why not, for the model.
---@field message? string
---Whether the agent ends with the refusal (default: false).
---@field interrupt? boolean

---Which call is asked about, and whose it is.
---@class agent.CallContext
---The agent's id.
---@field agent_id string
---Its label.
---@field label string
---Its branch; nil without a worktree.
---@field branch? string
---Where it works.
---@field cwd string
---The round trip, from 1.
---@field turn integer
---The call's id; nil where a hook is told of no call.
---@field tool_use_id? string

---A function that is told of a step. `false, why` refuses the step, a string is told to the model beside.
---@alias agent.HookFunction fun(input: table<string, any>, tool_use_id: string?, ctx: agent.CallContext): boolean|string|agent.HookOutput|nil, string?

---A hook, several, or the Agent SDK's list of `{ matcher = "Bash|Edit", hooks = { … }, timeout = 10 }`.
---@alias agent.Hook agent.HookFunction|(agent.HookFunction|agent.HookMatcher)[]

---@class agent.HookMatcher
---The tools that it is told of: names joined by `|`, which may have `*` in them (default: all).
---@field matcher? string
---What is called.
---@field hooks agent.HookFunction[]
---Seconds that it may take; the agent ends when it takes longer (default: no limit but the agent's).
---@field timeout? number

---Hooks by the step that they are told of; `PreToolUse` is `pre_tool_use`. They are asked before the rules, and lift no refusal of those. An error in one ends the agent.
---@class agent.Hooks
---Before a tool runs: may refuse the call or change its input (default: none).
---@field pre_tool_use? agent.Hook
---After a tool ran, with `tool_response` (default: none).
---@field post_tool_use? agent.Hook
---After a tool failed, with `error` (default: none).
---@field post_tool_use_failure? agent.Hook
---After a call was denied, with `reason` (default: none).
---@field permission_denied? agent.Hook
---Before the first turn (default: none).
---@field session_start? agent.Hook
---Before the prompt is sent, with `prompt` (default: none).
---@field user_prompt_submit? agent.Hook
---When the agent says that it is done: what it is told sends it back to work, at most eight times (default: none).
---@field stop? agent.Hook
---Before the conversation is made shorter, with `trigger` (default: none).
---@field pre_compact? agent.Hook
---When the agent has ended, with `reason` (default: none).
---@field session_end? agent.Hook

---What a hook may return, as in the Agent SDK; the fields of `hook_specific_output` may also stand beside the others.
---@class agent.HookOutput
---Whether the agent goes on (default: true).
---@field continue? boolean
---Why it does not.
---@field stop_reason? string
---`"block"` refuses the step.
---@field decision? "block"|"approve"
---Why.
---@field reason? string
---What people are told.
---@field system_message? string
---What is special about the step.
---@field hook_specific_output? agent.HookSpecificOutput

---@class agent.HookSpecificOutput
---`"allow"` runs a call that the rules leave open, `"ask"` asks `can_use_tool` even about one that they allow.
---@field permission_decision? "allow"|"deny"|"ask"
---Why.
---@field permission_decision_reason? string
---What the call runs with instead.
---@field updated_input? table<string, any>
---What the model is told beside.
---@field additional_context? string
---What the model is told in place of the result.
---@field updated_tool_output? any

---Who calls a tool.
---@class agent.ToolContext
---The agent's id.
---@field agent_id string
---Its label.
---@field label string
---Its branch; nil without a worktree.
---@field branch? string
---Where it works.
---@field cwd string
---The round trip, from 1.
---@field turn integer

---@class agent.ListOptions
---Whether to list agents that left nothing behind too (default: false).
---@field all? boolean

---@class agent.RemoveOptions
---Whether to remove what nothing else holds, too: unmerged commits and files that no commit has. They are kept under `refs/agentlua/removed/<id>/` (default: false).
---@field force? boolean

---An agent, as `agentlua agents --json` shows it.
---@class agent.Row
---Its id.
---@field id string
---What it is doing.
---@field status "queued"|"running"|"waiting"|"completed"|"failed"|"cancelled"|"interrupted"
---Its branch; nil without one.
---@field branch? string
---The last change of status, in seconds since 1970.
---@field since integer
---The run that it belongs to.
---@field run string
---The name that people see.
---@field label string
---Model round trips so far.
---@field turns integer
---Tokens so far.
---@field usage agent.Usage
---Its worktree; nil without one.
---@field worktree_path? string
---The commit that it started from.
---@field base_commit? string
---The commit that holds its work.
---@field head_commit? string

---Run-wide defaults, by the names of the flags of `agentlua run`; a flag wins.
---@class agent.ConfigOptions
---The model of agents that name none (default: the one whose key is set).
---@field model? string|agent.Model
---Agents at work at once (default: 4).
---@field concurrency? integer
---Model round trips of each agent (default: 20).
---@field max_turns? integer
---Seconds that each agent may take (default: no limit).
---@field timeout? number
---Seconds that a model may be silent (default: 90).
---@field idle_timeout? number
---Tokens that one reply may have (default: the model's own).
---@field max_output_tokens? integer
---Whether a denied tool call makes the run fail (default: false).
---@field strict? boolean
---Whether progress is left out (default: false).
---@field quiet? boolean
---The directory whose repository agents work on (default: where agentlua was started).
---@field repo? string
---Where worktrees are kept (default: below `${XDG_STATE_HOME:-~/.local/state}/agentlua`).
---@field worktree_root? string
---What every worktree gets (default: what `.worktreeinclude` names, and no setup).
---@field worktree? agent.WorktreeDefaults

---The settings as they are.
---@class agent.Config
---The model of agents that name none; nil when the keys decide.
---@field model? string
---Agents at work at once.
---@field concurrency integer
---Model round trips of each agent.
---@field max_turns integer
---Seconds that each agent may take; nil for no limit.
---@field timeout? number
---Seconds that a model may be silent.
---@field idle_timeout number
---Tokens that one reply may have; nil for the model's own limit.
---@field max_output_tokens? integer
---Whether a denied tool call makes the run fail.
---@field strict boolean
---Whether progress is left out.
---@field quiet boolean
---The directory whose repository agents work on; nil for where agentlua was started.
---@field repo? string
---Where worktrees are kept, if somebody said.
---@field worktree_root? string
---What every worktree gets.
---@field worktree agent.WorktreeDefaults

---Runs agents, each in its own worktree on its own branch.
---@class agentlib
agent = {}

---Runs one agent to its end and returns its outcome. Other tasks go on meanwhile.
---Raises when the outcome is not ok; the whole outcome is `e.outcome` then.
---@async
---@param query agent.Query|string
---@return agent.Outcome
---@overload fun(prompt: string): agent.Outcome
function agent.query(query) end

---Is `agent.query`, and returns `nil, e` for a failure.
---@async
---@param query agent.Query|string
---@return agent.Outcome? outcome
---@return agent.Error e
---@overload fun(prompt: string): agent.Outcome?, agent.Error
function agent.try_query(query) end

---Starts a query or a function in the background; closing the task cancels it.
---@param item agent.Query|string|fun(...): ...
---@param ... any What the function is called with.
---@return agent.Task
---@nodiscard
---@overload fun(prompt: string): agent.Task
function agent.spawn(item, ...) end

---Runs all items and returns their results under the same keys.
---The first failure cancels the rest and is raised once they have unwound.
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return table<K, agent.Outcome|any>
function agent.all(items, opts) end

---Is `agent.all`, and returns `nil, e` for a failure.
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return table<K, agent.Outcome|any>? results
---@return agent.Error|any e
function agent.try_all(items, opts) end

---Runs all items and says of each how it ended. A failure stops nothing.
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return table<K, agent.Settled>
function agent.all_settled(items, opts) end

---Returns the first success and its key; the others are cancelled.
---When all fail it raises, with every error in `e.errors`.
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return agent.Outcome|any value
---@return K key
function agent.race(items, opts) end

---Is `agent.race`, and returns `nil, e` when all failed.
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return agent.Outcome|any value
---@return K|agent.Error key_or_error
function agent.try_race(items, opts) end

---Runs all items: `for key, value, e in agent.iter(items) do`, as they finish.
---Leaving the loop cancels the rest.
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return fun(): K, agent.Outcome|any, agent.Error|any
---@nodiscard
function agent.iter(items, opts) end

---Calls `fn(item, key)` for all items at once and returns what it returned, under the same keys.
---The first failure cancels the rest and is raised once they have unwound.
---@async
---@generic K, V, R
---@param list table<K, V>
---@param fn async fun(item: V, key: K): R
---@param opts? agent.GroupOptions
---@return table<K, R>
function agent.map(list, fn, opts) end

---Is `agent.map`, and returns `nil, e` for a failure.
---@async
---@generic K, V, R
---@param list table<K, V>
---@param fn async fun(item: V, key: K): R
---@param opts? agent.GroupOptions
---@return table<K, R>? results
---@return agent.Error|any e
function agent.try_map(list, fn, opts) end

---Calls `fn(item, key)` for all items at once and says of each how it ended.
---@async
---@generic K, V
---@param list table<K, V>
---@param fn async fun(item: V, key: K): any
---@param opts? agent.GroupOptions
---@return table<K, agent.Settled>
function agent.map_settled(list, fn, opts) end

---Sends each item through the stages, `stage(value, item, key)`; items do not wait for each other.
---@async
---@generic K, V
---@param list table<K, V>
---@param stages (async fun(value: any, item: V, key: K): any)[]
---@param opts? agent.GroupOptions
---@return table<K, any>
function agent.pipeline(list, stages, opts) end

---Is `agent.pipeline`, and returns `nil, e` for a failure.
---@async
---@generic K, V
---@param list table<K, V>
---@param stages (async fun(value: any, item: V, key: K): any)[]
---@param opts? agent.GroupOptions
---@return table<K, any>? results
---@return agent.Error|any e
function agent.try_pipeline(list, stages, opts) end

---Waits.
---@async
---@param seconds number
function agent.sleep(seconds) end

---Calls `fn(...)` and returns what it returned; raises an error of the kind `timeout` when it takes longer.
---@async
---@param seconds number
---@param fn async fun(...): ...
---@param ... any
---@return any ...
function agent.timeout(seconds, fn, ...) end

---Is `agent.timeout`, and returns `nil, e` for a failure.
---@async
---@param seconds number
---@param fn async fun(...): ...
---@param ... any
---@return any ...
function agent.try_timeout(seconds, fn, ...) end

---Sets run-wide defaults; without arguments returns the current ones.
---@param settings agent.ConfigOptions
---@overload fun(): agent.Config
function agent.config(settings) end

---Is `agent.config`, and returns `nil, e` when a model cannot be had.
---@param settings agent.ConfigOptions
---@return nil
---@return agent.Error e
---@overload fun(): agent.Config
function agent.try_config(settings) end

---Makes a model in Lua.
---@param options agent.ModelOptions
---@return agent.Model
---@nodiscard
function agent.model(options) end

---Makes a tool in Lua.
---@param options agent.ToolOptions
---@return agent.Tool
---@nodiscard
function agent.tool(options) end

---Lists agents of this repository, newest last: live ones, and ended ones that left something.
---@async
---@param options? agent.ListOptions
---@return agent.Row[]
---@nodiscard
function agent.list(options) end

---Is `agent.list`, and returns `nil, e` for a failure.
---@async
---@param options? agent.ListOptions
---@return agent.Row[]? agents
---@return agent.Error e
function agent.try_list(options) end

---Removes the worktree of an agent that has ended, and its branch if it is merged or empty. Raises when something would be lost, unless `force` is given.
---@async
---@param agent string|agent.Outcome|agent.Task an id or the start of one, an outcome, a task
---@param options? agent.RemoveOptions
function agent.remove(agent, options) end

---Is `agent.remove`, and returns `nil, e` for a failure.
---@async
---@param agent string|agent.Outcome|agent.Task
---@param options? agent.RemoveOptions
---@return nil
---@return agent.Error? e
function agent.try_remove(agent, options) end

---Fills `${name}` and `${a.b}`, and strips common indentation. A missing name is an error.
---@param template string
---@param vars? table<string, any>
---@return string
---@nodiscard
function agent.text(template, vars) end

return agent
