---@meta agentlua.agent

---What a script says of its arguments: a list of them, and what it does.
---@class agent.ArgsOptions
---The arguments, in the order of the help; those that go by their place in the order in which they are typed.
---@field [integer] agent.Argument
---What the script does, for `--help` (default: nothing is said).
---@field about? string

---An argument of a script: a list of names, `"task"` for one that goes by its place and `"--limit"`, `"-n"` or both
---for an option, and of its type: `"string"` (default), `"integer"`, `"number"`, `"boolean"`, `"file"` and
---`"directory"` (which have to exist), or a list of the words that are allowed.
---@class agent.Argument
---Its names and its type.
---@field [integer] string|string[]
---What it is when nothing is typed; a list with `many` (default: nil, `false` for a boolean, an empty list with `many`).
---@field default? any
---Whether it has to be typed (default: false).
---@field required? boolean
---Whether it may be typed several times, or of a place, all that follows; its field is a list (default: false).
---@field many? boolean
---What it is, for `--help` (default: nothing is said).
---@field help? string
---What `--help` calls its value (default: its name in capitals).
---@field metavar? string

---What can be run: a query, a prompt, a function or a task.
---@alias agent.Item agent.Query|string|agent.Task|fun(...): ...

---Which way an agent ended; all but `success` are failures.
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
---`"anthropic/…"`, `"openai/…"`, `"ollama/…"`, a provider of your config.toml, or a model made by `agent.model` (default: the run's).
---@field model? string|agent.Model
---How hard the model thinks; a word that it lacks becomes the next below (default: the model's own).
---@field effort? "low"|"medium"|"high"|"xhigh"|"max"
---The system prompt (default: agentlua's own).
---@field system_prompt? string
---What follows the system prompt (default: nothing).
---@field append_system_prompt? string
---Who is asked for the rest of the agent's life when the model cannot answer: one, or a list of up to three (default: nobody).
---@field fallback_model? string|agent.Model|(string|agent.Model)[]
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
---Whether the agent may only look: `Write` and `Edit` are not offered, Bash runs only commands that read, nothing is committed, and worktree and branch go at the end. Tools of the script are offered all the same, those of servers where they are listed (default: false).
---@field read_only? boolean
---Tools and rules; only what is listed is offered and runs (default: all with a worktree, else `Read`, `Glob` and `Grep`). `"WebFetch"`, `"WebFetch(domain:example.com)"` and `"Agent"` are offered only where they are listed; WebFetch reaches no private address but of a host that a rule names.
---
---`"Bash(git diff *)"` (or `"Bash(git diff:*)"`) covers commands that begin so; `*` may stand anywhere, and without one the rule is that command to the letter. A command of several parts runs if each of them is covered; beside one that is, others may run that only look at what the agent may read, such as `| tail`. Redirections are checked as `Edit` and `Read`. A rule says how a command begins, and not that it only reads: `git diff --output=f` writes.
---
---`"Edit(src/**)"` (for `Write` too), `"Read(./x)"`, `"Read(/from-the-top)"`, `"Read(~/x)"`, `"Read(//absolute)"` are as in `.gitignore`. Further `"mcp__server"`, `"mcp__server__*"`, `"mcp__server__tool"` and `"Agent(name)"`.
---@field allowed_tools? string[]
---Tools and rules that are refused, whatever else allows them. Rules about `Read` cover `Grep` and `Glob` where these name a path, and files that commands name; a search of everything passes over all that git does not ignore (default: none).
---@field disallowed_tools? string[]
---Further tools, made by `agent.tool`; allowed without being listed (default: none).
---@field tools? agent.Tool[]
---Asked about every call that the rules leave open: those that neither list names, which without `allowed_tools` are all. `true` runs it, `false, why` refuses it, nothing leaves it to the rules. It lifts no refusal and no confinement; an error in it ends the agent (default: what the rules leave open runs where all is allowed, and is refused where rules are listed).
---@field can_use_tool? fun(name: string, input: table<string, any>, ctx: agent.CallContext): boolean|agent.Permission|nil, string?
---Hears what the agent does, one event after the other; the agent waits for it in every turn, and all are heard before the query returns. An error in it is warned of once, and it hears no more; the agent goes on (default: nobody).
---@field on_event? fun(event: agent.Event)
---Model round trips (default: 20).
---@field max_turns? integer
---USD that the agent may spend; the price of its model has to be known (default: no limit but the run's).
---@field max_budget_usd? number
---Tokens that one reply may have (default: the model's own).
---@field max_output_tokens? integer
---Seconds that the agent may take (default: no limit).
---@field timeout? number
---Seconds that the model may be silent (default: 90).
---@field idle_timeout? number
---What the final answer has to be: a JSON Schema, or short, `{ score = "integer", note = "string?", findings = { { file = "string" } } }`; a schema of a list or of another value that is no object is wrapped for the model and unwrapped again. What does not fit goes back to the agent, five times at most, then it fails with `error_structured_output` (default: none).
---@field schema? table
---What decides whether the work is good when the agent says that it is done: a command, run in its worktree with its environment, or a function of the outcome so far and the worktree (nil without one), which says no by raising, by `false` or `nil, why`, or by a table whose `ok` is false. A no goes back to the agent. A command is run once before the agent begins too, for its base commit, in a worktree that goes again; agents with the same base share that (default: none).
---@field verify? string|(fun(outcome: agent.Outcome, worktree?: git.Worktree): any, string?)
---How often `verify` may fail before the agent fails with `error_verify` (default: 3).
---@field verify_attempts? integer
---Whether the work is committed at the end; a string is the message (default: true, with the label).
---@field commit? boolean|string
---The repository to work on (default: the one around `cwd`).
---@field repo? string
---Where an agent without a worktree works (default: where agentlua was started).
---@field cwd? string
---Directories beside the agent's own that its file tools read and write, by their whole paths: absolute, or from `cwd`. Nothing there is committed. What lies in a checkout of the agent's repository (without a worktree: of any) is only read, and so is everything there for an agent with a `scope` (default: none).
---@field add_dirs? string[]
---Variables for commands, merged into an allow-listed environment without keys. Beside it they find `AGENTLUA_AGENT`, `AGENTLUA_RUN`, `AGENTLUA_BRANCH`, `AGENTLUA_WORKTREE`, `AGENTLUA_BASE_COMMIT`, `COMPOSE_PROJECT_NAME`, a `PORT` that no sibling has, and a `GIT_CONFIG_GLOBAL` that reads as yours and is the agent's to write (default: none).
---@field env? table<string, string>
---Functions that are told of steps of the agent, and may change or stop them (default: none).
---@field hooks? agent.Hooks
---MCP servers by name, started for this agent alone before its first turn: a program, or a host with `type = "http"`. Their tools are `mcp__<name>__<tool>`. One that does not start fails the agent (default: none).
---@field mcp_servers? table<string, agent.McpProgram|agent.McpHost>
---Goes on in the conversation of an agent that has ended, in its worktree and on its branch: an id (or the start of one), a `session_id`, an outcome or a task (default: nobody's).
---@field resume? string|agent.Outcome|agent.Task
---Takes up a copy of such a conversation, on a new branch from where that agent's work ended (default: nobody's).
---@field fork? string|agent.Outcome|agent.Task

---An MCP server that is a program, spoken to through its standard input and output. It runs in the agent's directory.
---@class agent.McpProgram
---What it is (default: `"stdio"`).
---@field type? "stdio"
---The program, looked up in `PATH`.
---@field command string
---Its arguments (default: none).
---@field args? string[]
---Variables on top of those that the agent's commands have (default: none).
---@field env? table<string, string>

---An MCP server that is a host, spoken to with streamable HTTP.
---@class agent.McpHost
---What it is.
---@field type "http"
---Its address.
---@field url string
---Headers of each request, such as `Authorization` (default: none).
---@field headers? table<string, string>

---How an agent ended. Reading a field that there is not is an error; camelCase spellings are answered too.
---@class agent.Outcome
---Whether the agent succeeded.
---@field ok boolean
---Which way it ended.
---@field subtype agent.Subtype
---The final text.
---@field result string
---What fits the schema; the last value that was given, when none fitted.
---@field structured_output? any
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
---What verification came to; nil of a query without `verify`.
---@field verify agent.Verification

---What verification came to.
---@class agent.Verification
---Whether the last run was good; nil when there was none.
---@field ok? boolean
---How often it ran after the agent had begun.
---@field attempts integer
---How the command ended before the agent began; nil for a function.
---@field baseline? "passed"|"failed"
---What the last run said, if it was not good.
---@field output? string

---A step of an agent, as `--output-format stream-json` prints it: a message of the Claude Agent SDK. A field
---that the JSON has as null is absent. New types and subtypes may come.
---@class agent.Event
---`system` tells of the agent (see `subtype`), `assistant` what the model said, `user` what it was answered, and `result`, the last one, is the outcome.
---@field type "system"|"assistant"|"user"|"result"
---Of `system`: `agent_queued`, `init` before the first turn, `permission_denied`, `api_retry`, `model_changed` (a fallback answers from now on), `compact_boundary` (what was said was summed up), `verified`, `message` (a warning about the agent), `gap` (in `task:events()`: so many events were no longer kept). Of `result`: how it ended.
---@field subtype? "agent_queued"|"init"|"permission_denied"|"api_retry"|"model_changed"|"compact_boundary"|"verified"|"message"|"gap"|agent.Subtype
---Tells events apart; a `gap` has none.
---@field uuid? string
---The agent's id.
---@field agent_id? string
---The conversation's id.
---@field session_id? string
---The tool call that the agent works for; nil.
---@field parent_tool_use_id? string
---Of `assistant` and `user`: the message.
---@field message? agent.Message|string
---Of `agent_queued`, `init` and `result`: the name that people see.
---@field label? string
---Of `init`: where it works.
---@field cwd? string
---Of `init`: the model.
---@field model? string
---Of `init`: the names of the tools on offer.
---@field tools? string[]
---Of `init`: MCP servers, each with `name` and `status`.
---@field mcp_servers? table[]
---Of `init` and `result`: the branch.
---@field branch? string
---Of `init` and `result`: the worktree.
---@field worktree_path? string
---Of `init` and `result`: the commit that it started from.
---@field base_commit? string
---Of `permission_denied`: the tool; `message` is the reason.
---@field tool_name? string
---Of `permission_denied`: the call's id.
---@field tool_use_id? string
---Of `api_retry`: the number of the try that failed; of `verified`: how often it was verified, 0 for what was there before. `message` is why it failed.
---@field attempt? integer
---Of `api_retry`: milliseconds until the next try.
---@field retry_delay_ms? integer
---Of `api_retry`: the HTTP status.
---@field error_status? integer
---Of `api_retry`: a word for what happened, such as `rate_limit` or `overloaded`.
---@field error? string
---Of `model_changed`: the model that could not answer; `message` is why.
---@field from? string
---Of `model_changed`: the model that is asked from now on.
---@field to? string
---Of `compact_boundary`: `trigger`, and the tokens before and after, `pre_tokens` and `post_tokens`.
---@field compact_metadata? table<string, any>
---Of `message`: how loud it is.
---@field level? "debug"|"info"|"warn"|"error"
---Of `message`: what is said.
---@field text? string
---Of `gap`: how many events there were.
---@field missed? integer
---Of `result`: whether the agent failed. The fields of the outcome are there too.
---@field is_error? boolean
---Of `result`: why it failed.
---@field errors? string[]
---Of `result`: the final text.
---@field result? string
---Of `result`: model round trips.
---@field num_turns? integer
---Of `verified` and `result`: whether it went well.
---@field ok? boolean
---Of `verified` and `result`: milliseconds.
---@field duration_ms? integer
---Of `result`: USD; nil when a price is unknown.
---@field total_cost_usd? number
---Of `result`: tokens.
---@field usage? agent.Usage

---A message in the form of the Messages API.
---@class agent.Message
---Of `assistant`: as the Messages API has it.
---@field type? "message"
---Who says it.
---@field role "assistant"|"user"
---Blocks, each with its `type`: `text` (`text`), `thinking`, `tool_use` (`id name input`), `tool_result` (`tool_use_id content is_error`; at most 30,000 bytes, pictures as a word).
---@field content table[]
---Of `assistant`: the model.
---@field model? string
---Of `assistant`: why it ended.
---@field stop_reason? string
---Of `assistant`: tokens of this turn.
---@field usage? agent.Usage

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
---What it returned; an outcome, for a query; nil when it failed.
---@field value agent.Outcome|any
---What it raised; nil when it succeeded.
---@field error agent.Error|any
---The outcome, also of a failed query.
---@field outcome? agent.Outcome

---How items run beside each other: the second argument of `agent.all` and those like it.
---@class agent.GroupOptions
---Items that run at once (default: all; agents are limited by `concurrency` too).
---@field limit? integer

---What `agent.model` makes a model of.
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

---A tool that a model may call.
---@class agent.OfferedTool
---Its name.
---@field name string
---What it is for.
---@field description string
---The JSON Schema of its input.
---@field input_schema table<string, any>

---What a tool said when the model had called it.
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

---A call that a model makes.
---@class agent.ToolCall
---The tool.
---@field name string
---Its arguments (default: none).
---@field input? table<string, any>

---What `agent.tool` makes a tool of.
---@class agent.ToolOptions
---1 to 64 letters, digits, `_` or `-`.
---@field name string
---What the model is told of it.
---@field description string
---The input: a JSON Schema, or short as in `{ path = "string", line = "integer?" }` (default: no input). A call that does not fit is answered with what is wrong, and `run` is not called.
---@field input? table<string, any>
---Does it. Returns a string or a table; `nil, message` is a failed call, and so is an error. A table in the way of MCP servers, `{ content = { { type = "text", text = … } }, is_error = … }`, is its texts.
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

---Hooks for some tools only, as the Agent SDK writes them.
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

---What a hook may say of its own step, as in the Agent SDK.
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

---Which agents `agent.list` tells of.
---@class agent.ListOptions
---Whether to list agents that left nothing behind too (default: false).
---@field all? boolean

---What `agent.remove` may take with it.
---@class agent.RemoveOptions
---Whether to remove what nothing else holds, too: unmerged commits and files that no commit has. They are kept under `refs/agentlua/removed/<id>/` (default: false).
---@field force? boolean

---The query of agents that work on merges: of `agent.query`, what is not about their place.
---@class agent.TeamOptions
---What they are told beside the conflict (default: nothing).
---@field prompt? string
---The name that people see (default: what is done, and the branch).
---@field label? string
---The model, as in `agent.query` (default: the run's).
---@field model? string|agent.Model
---Who is asked when the model cannot answer: one, or a list of up to three (default: nobody).
---@field fallback_model? string|agent.Model|(string|agent.Model)[]
---How hard the model thinks (default: the model's own).
---@field effort? "low"|"medium"|"high"|"xhigh"|"max"
---The system prompt (default: agentlua's own).
---@field system_prompt? string
---What follows the system prompt (default: nothing).
---@field append_system_prompt? string
---Further tools, made by `agent.tool` (default: none).
---@field tools? agent.Tool[]
---Tools and rules; only what is listed is offered and runs, as in `agent.query` (default: all).
---@field allowed_tools? string[]
---Tools and rules that are refused, whatever else allows them (default: none).
---@field disallowed_tools? string[]
---MCP servers by name, as in `agent.query` (default: none).
---@field mcp_servers? table<string, agent.McpProgram|agent.McpHost>
---Model round trips of each (default: 20).
---@field max_turns? integer
---USD of all of them together (default: the run's limit).
---@field max_budget_usd? number
---Tokens that one reply may have (default: the model's own).
---@field max_output_tokens? integer
---Seconds that each may take (default: no limit).
---@field timeout? number
---Seconds that the model may be silent (default: 90).
---@field idle_timeout? number
---Variables for commands, as in `agent.query` (default: none).
---@field env? table<string, string>

---What to integrate, and who does it.
---@class agent.IntegrateOptions: agent.TeamOptions, git.RepoOptions
---The new branch, which must not exist (default: `agentlua/integrate-` and a few digits).
---@field branch? string
---What to merge, in the order with the fewest conflicts; of outcomes and of branches of agents, the agents
---are asked first where theirs conflicts.
---@field branches git.Revision[]
---Where it starts (default: `into`, else HEAD).
---@field base? git.Revision
---The branch that gets the result in the end, by one step (default: none).
---@field into? git.Revision
---How each is merged (default: `"merge"`).
---@field strategy? "merge"|"squash"
---The message of each merge (default: git's).
---@field message? string
---Has to agree with the result, as in `git.merge`; where it does not, the merge from which on it is so is
---found, and an agent makes the parts fit together (default: no one is asked).
---@field verify? string|fun(worktree: git.Worktree): any, string?
---How often the result is verified at most (default: 3).
---@field verify_attempts? integer
---The command that prepares the temporary worktrees, or false (default: that of `agent.config`).
---@field setup? string|false
---Who resolves conflicts in place of the agents that the options beside it describe: a function as in
---`git.merge`, which gives a reason after `true` where lines of a side are gone, or a query
---(default: agents).
---@field on_conflict? agent.TeamOptions|fun(conflict: git.Dispute): boolean?, string?

---What `agent.integrate` returns: an outcome whose turns, tokens and cost are those of all its agents.
---@class agent.Integrated: agent.Outcome
---What became of each of `branches`, in that order.
---@field merges git.BranchMerge[]

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
---USD; nil while it works, and when a price is unknown.
---@field cost_usd? number
---Its worktree; nil without one.
---@field worktree_path? string
---The commit that it started from.
---@field base_commit? string
---The commit that holds its work.
---@field head_commit? string

---What a model costs, in USD for a million tokens.
---@class agent.Price
---Tokens in.
---@field input number
---Tokens out.
---@field output number
---Tokens in that a cache serves (default: a tenth of `input`).
---@field cache_read? number
---Tokens in that a cache takes (default: a quarter more than `input`).
---@field cache_write? number

---Run-wide defaults, by the names of the flags of `agentlua run`; a flag wins.
---@class agent.ConfigOptions
---The model of agents that name none (default: the one whose key is set).
---@field model? string|agent.Model
---Agents at work at once (default: 4).
---@field concurrency? integer
---Model round trips of each agent (default: 20).
---@field max_turns? integer
---USD that the run may spend; prices of all its models have to be known (default: no limit).
---@field max_budget_usd? number
---What models cost, by their names, also of those written in Lua (default: what is known of well-known ones).
---@field prices? table<string, agent.Price>
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
---What standard output holds: what the script prints; one object at the end; or every event as a line, and that object. But for text, what the script prints goes to standard error (default: `"text"`).
---@field output_format? "text"|"json"|"stream-json"
---The directory whose repository agents work on (default: where agentlua was started).
---@field repo? string
---Where worktrees are kept (default: below `${XDG_STATE_HOME:-~/.local/state}/agentlua`).
---@field worktree_root? string
---The file in which what models are asked and answer is kept, without keys and secrets; set before the first agent is asked (default: none).
---@field record? string
---Such a file, which answers in the place of every model: no key, no network; set before the first agent is asked (default: none).
---@field replay? string
---With `replay`: whether the recorded results of commands and of custom tools are used, and these not run (default: false).
---@field replay_tools? boolean
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
---USD that the run may spend; nil for no limit.
---@field max_budget_usd? number
---What models cost, where the settings say so.
---@field prices table<string, agent.Price>
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
---What standard output holds.
---@field output_format "text"|"json"|"stream-json"
---Whether agents are planned and not asked: `agentlua run --dry-run`.
---@field dry_run boolean
---The directory whose repository agents work on; nil for where agentlua was started.
---@field repo? string
---Where worktrees are kept, if somebody said.
---@field worktree_root? string
---The file in which what models are asked and answer is kept, if it is.
---@field record? string
---The file that answers in their place, if one does.
---@field replay? string
---Whether the recorded results of commands and of custom tools are used.
---@field replay_tools boolean
---What every worktree gets.
---@field worktree agent.WorktreeDefaults

---The money of the run.
---@class agent.Budget
---USD that the run may spend; nil without a limit.
---@field total? number
local budget = {}

---Returns what is known to be spent, in USD.
---@return number
---@nodiscard
function budget:spent() end

---Returns what is left, in USD; `math.huge` without a limit.
---@return number
---@nodiscard
function budget:remaining() end

---Runs agents, each in its own worktree on its own branch.
---@class agentlib
---The money of the run.
---@field budget agent.Budget
agent = {}

---Runs one agent to its end and returns its outcome. Other tasks go on meanwhile.
---Raises when the outcome is not ok; the whole outcome is `e.outcome` then.
---```lua
---local outcome = agent.query {
---  prompt = "Make the parser report line numbers.",
---  branch = "parser-lines", -- its own worktree, its own branch
---  scope = { "src/parser/" }, -- it writes nowhere else
---  verify = "cargo test parser", -- a red test goes back to the agent
---}
---print(outcome.branch, outcome.result)
---```
---@async
---@param query agent.Query|string
---@return agent.Outcome
---@overload fun(prompt: string): agent.Outcome
function agent.query(query) end

---Is `agent.query`, and returns `nil, e` for a failure.
---```lua
---local outcome, e = agent.try_query { prompt = "Mend the build.", worktree = true }
---if not outcome then
---  print(e.kind, e.message)
---end
---```
---@async
---@param query agent.Query|string
---@return agent.Outcome? outcome
---@return agent.Error e
---@overload fun(prompt: string): agent.Outcome?, agent.Error
function agent.try_query(query) end

---Starts a query or a function in the background; closing the task cancels it.
---```lua
---local task = agent.spawn { prompt = "Write the changelog.", branch = "changelog" }
---print(task:status()) -- the script goes on meanwhile
---local outcome = task:await()
---```
---@param item agent.Query|string|fun(...): ...
---@param ... any What the function is called with.
---@return agent.Task
---@overload fun(prompt: string): agent.Task
function agent.spawn(item, ...) end

---Runs all items and returns their results under the same keys.
---The first failure cancels the rest and is raised once they have unwound.
---```lua
---local outcomes = agent.all {
---  api = { prompt = "Rename Order to Purchase in src/api.", branch = "api" },
---  docs = { prompt = "Rename Order to Purchase in docs.", branch = "docs" },
---}
---print(outcomes.api.branch, outcomes.docs.branch)
---```
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
---```lua
---for name, item in pairs(agent.all_settled { a = "Explain src/a.", b = "Explain src/b." }) do
---  print(name, item.ok and item.value.result or item.error.message)
---end
---```
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return table<K, agent.Settled>
function agent.all_settled(items, opts) end

---Returns the first success and its key; the others are cancelled, and their worktrees and branches are
---removed: what only they held is kept under `refs/agentlua/removed/<id>`.
---When all fail it raises, with every error in `e.errors`.
---```lua
---local first, who = agent.race {
---  quick = { prompt = "Find the leak.", model = "openai/gpt-5-mini", worktree = true },
---  deep = { prompt = "Find the leak.", model = "openai/gpt-5", worktree = true },
---}
---print(who .. " was first", first.branch)
---```
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

---Merges branches onto a new one. Where they conflict agents resolve it; no marker and no side may be
---lost, and `verify` has to agree. When it fails, the target and the branches are as they were, and the new
---branch holds what was integrated so far: see `e.outcome` and `e.merge.merges`.
---```lua
---local whole = agent.integrate {
---  branches = { "api", "docs" },
---  into = "main",
---  verify = "npm test",
---}
---for _, merge in ipairs(whole.merges) do
---  print(merge.branch, merge.status)
---end
---```
---@async
---@param options agent.IntegrateOptions
---@return agent.Integrated
function agent.integrate(options) end

---Is `agent.integrate`, and returns `nil, e` for a failure.
---@async
---@param options agent.IntegrateOptions
---@return agent.Integrated? outcome
---@return agent.Error e
function agent.try_integrate(options) end

---Runs all items: `for key, value, e in agent.iter(items) do`, as they finish.
---Leaving the loop cancels the rest.
---```lua
---for name, outcome, e in agent.iter { a = "Explain src/a.", b = "Explain src/b." } do
---  print(name, outcome and outcome.result or e.message) -- as they finish
---end
---```
---@async
---@generic K
---@param items table<K, agent.Item>
---@param opts? agent.GroupOptions
---@return fun(): K, agent.Outcome|any, agent.Error|any
---@nodiscard
function agent.iter(items, opts) end

---Calls `fn(item, key)` for all items at once and returns what it returned, under the same keys.
---The first failure cancels the rest and is raised once they have unwound.
---```lua
---local notes = agent.map(fs.glob "src/*.lua", function(file)
---  return agent.query("Say in a line what " .. file .. " is for.").result
---end, { limit = 8 })
---```
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
---```lua
---local results = agent.pipeline({ "auth", "billing" }, {
---  function(name)
---    return agent.query("Find the weakest test of src/" .. name .. ".")
---  end,
---  function(found, name) -- as soon as its own first stage is done
---    local prompt = "Make it stronger: " .. found.result
---    return agent.query { prompt = prompt, branch = "tests/" .. name }
---  end,
---})
---```
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

---Runs a function once in a run and returns what it returned: at once where that is kept, of an earlier life of the run too. The id names it, wherever it is called; callers at one time wait for the one that runs it. What it returns has to have a JSON form, and is a copy. An error in it is raised, and nothing is kept.
---```lua
---local issue = agent.once("issue", function()
---  return json.decode(sh.check("gh issue view 42 --json title,body").stdout)
---end)
---print(issue.title) -- a run that is resumed asks no second time
---```
---@async
---@generic T
---@param id string
---@param fn fun(): T, ...
---@return T
function agent.once(id, fn) end

---Is `agent.once`, and returns `nil, e` for a failure.
---@async
---@generic T
---@param id string
---@param fn fun(): T, ...
---@return T? value
---@return agent.Error e
function agent.try_once(id, fn) end

---Returns the time in seconds since 1970; in a run that is resumed, that of the first time.
---@async
---@return number
---@nodiscard
function agent.now() end

---Is `agent.now`, and returns `nil, e` when it cannot be written down.
---@async
---@return number? time
---@return agent.Error e
---@nodiscard
function agent.try_now() end

---Returns a random number as `math.random` does; in a run that is resumed, the same.
---@async
---@overload async fun(): number
---@param m integer
---@param n? integer
---@return integer
---@nodiscard
function agent.random(m, n) end

---Is `agent.random`, and returns `nil, e` when it cannot be written down.
---@async
---@param m? integer
---@param n? integer
---@return number? number
---@return agent.Error e
---@nodiscard
function agent.try_random(m, n) end

---Calls `fn(...)` and returns what it returned; raises an error of the kind `timeout` when it takes longer.
---```lua
---local answer = agent.timeout(600, function()
---  return agent.query "Why is the build slow?"
---end)
---```
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
---```lua
---agent.config { model = "anthropic/claude-sonnet-5", concurrency = 8, max_budget_usd = 5 }
---print(agent.config().concurrency)
---```
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
---```lua
---local model = agent.model {
---  name = "player",
---  reply = function(request)
---    if request.turn == 1 then
---      return { tools = { { name = "Write", input = { file_path = "x", content = "y" } } } }
---    end
---    return "Done."
---  end,
---}
---agent.query { prompt = "Write y into x.", model = model, worktree = true }
---```
---@param options agent.ModelOptions
---@return agent.Model
---@nodiscard
function agent.model(options) end

---Makes a tool in Lua.
---```lua
---local ask = agent.tool {
---  name = "ask_user",
---  description = "Asks the user a question and returns the answer.",
---  input = { question = "string" },
---  run = function(input)
---    print(input.question)
---    return io.read() or "no answer"
---  end,
---}
---agent.query { prompt = "Ask me what I want.", tools = { ask }, worktree = true }
---```
---@param options agent.ToolOptions
---@return agent.Tool
---@nodiscard
function agent.tool(options) end

---Lists agents of this repository, newest last: live ones, and ended ones that left something.
---```lua
---for _, row in ipairs(agent.list()) do
---  print(row.id, row.status, row.branch)
---end
---```
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

---Returns a handle on an agent by its id, of another process or an earlier run too: what it tells comes from the
---journal of this repository, and what it asks is answered by the run that the agent belongs to. `await` returns
---the outcome of one that has ended at once, or raises its error; `status` may also say `waiting` or `interrupted`;
---`send`, `cancel` and `status` wait for the answer. Closing the handle leaves the agent alone.
---
---```lua
---for _, row in ipairs(agent.list()) do
---  if row.status == "running" then
---    agent.get(row.id):send("Stop after this file.")
---  end
---end
---```
---@async
---@param id string|agent.Outcome|agent.Task an id or the start of one, a `session_id`, an outcome, a task
---@return agent.Task
---@nodiscard
function agent.get(id) end

---Is `agent.get`, and returns `nil, e` when the journal cannot be read.
---@async
---@param id string|agent.Outcome|agent.Task
---@return agent.Task? task
---@return agent.Error e
---@nodiscard
function agent.try_get(id) end

---Says that the script has come to another part of its work: a heading in the progress, and in `stream-json` a
---`system` object of the subtype `phase`.
---@param name string one line
function agent.phase(name) end

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

---Declares the arguments of the script, and returns what was typed for them: a table with a field for each, dashes
---as underscores. Reading a field that is not declared is an error. What the declaration does not allow ends the
---run with exit code 2 before anything starts; `--help` prints what is declared.
---
---```lua
---local args = agent.args {
---  about = "Reviews every open pull request.",
---  { "branches", many = true, help = "local branches to review instead" },
---  { "--post", "boolean", help = "post the reviews" },
---  { "-n", "--limit", "integer", default = 10, help = "how many at most" },
---  { "--strategy", { "merge", "squash" }, default = "merge" },
---}
---print(args.limit, args.post, #args.branches)
---```
---
---It reads the global `arg`; in the REPL there is none, and all have their defaults.
---@param declaration agent.ArgsOptions
---@return table<string, any>
---@nodiscard
function agent.args(declaration) end

---Fills `${name}` and `${a.b}`, and strips common indentation. A missing name is an error.
---```lua
---local prompt = agent.text(
---  [[
---  Port ${module} to ${target.name}.
---  Keep its public interface.
---  ]],
---  { module = "src/auth", target = { name = "Fastify" } }
---)
---```
---@param template string
---@param vars? table<string, any>
---@return string
---@nodiscard
function agent.text(template, vars) end

return agent
