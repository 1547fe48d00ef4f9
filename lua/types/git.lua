---@meta agentlua.git

---A branch or any revision; or an outcome, a task or a worktree, for its branch.
---@alias git.Revision string|agent.Outcome|agent.Task|git.Worktree

---@class git.RepoOptions
---The repository to work on (default: the one of `agent.config`, else the one around where agentlua was started).
---@field repo? string

---@class git.DiffOptions: git.RepoOptions
---Where to start (default: where `to` left HEAD, or HEAD without `to`).
---@field from? git.Revision
---What to compare (default: the checkout).
---@field to? git.Revision
---Only these paths (default: all).
---@field paths? string[]
---Whether to take the index and not the files (default: false).
---@field staged? boolean

---What differs; `tostring` is the patch.
---@class git.Diff
---As `git diff` prints it.
---@field patch string
---The files that differ.
---@field files git.FileDiff[]
---Lines that came.
---@field additions integer
---Lines that went.
---@field deletions integer

---@class git.FileDiff
---Its path.
---@field path string
---Its path before; nil unless it was renamed or copied.
---@field old_path? string
---What became of it.
---@field status "added"|"deleted"|"modified"|"renamed"|"copied"|"type_changed"|"unmerged"
---Lines that came; nil for a binary file.
---@field additions? integer
---Lines that went; nil for a binary file.
---@field deletions? integer

---@class git.MergeOptions: git.RepoOptions
---What to merge.
---@field branch git.Revision
---The branch to merge into, checked out or not (default: the current one).
---@field into? git.Revision
---How (default: `"merge"`).
---@field strategy? "merge"|"squash"|"ff"
---The commit's message (default: git's).
---@field message? string

---@class git.Merge
---What happened.
---@field status "merged"|"fast_forward"|"up_to_date"
---The head of the target now.
---@field commit string
---The branch that was merged into.
---@field into string

---Why a merge did not happen; the target is as it was.
---@class git.FailedMerge
---What happened.
---@field status "conflicted"|"refused"
---What conflicts.
---@field conflicts? git.Conflict[]
---Why it was refused.
---@field reason? "dirty"|"parked"|"unmerged"|"no_common_base"
---The paths that it is about.
---@field paths? string[]

---@class git.Conflict
---The path.
---@field path string
---The kind, in git's words.
---@field kind string
---What git says of it.
---@field message string

---Two branches that would conflict.
---@class git.Clash
---One of them.
---@field a string
---The other.
---@field b string
---Where.
---@field paths string[]

---@class git.LogOptions: git.RepoOptions
---Where to start (default: HEAD).
---@field rev? git.Revision
---Commits at most (default: all).
---@field limit? integer
---Only commits that touch these paths (default: all).
---@field paths? string[]

---@class git.Commit
---The id.
---@field id string
---The ids of its parents.
---@field parents string[]
---Who wrote it.
---@field author_name string
---Their address.
---@field author_email string
---When, in seconds since 1970.
---@field time integer
---The first line of the message.
---@field subject string
---The rest of the message.
---@field body string

---@class git.Branch
---The name, such as `main`.
---@field name string
---Its head.
---@field commit string
---Whether the checkout is on it.
---@field current boolean
---The worktree that holds it; nil without one.
---@field worktree? string
---What it tracks; nil without one.
---@field upstream? string

---@class git.WorktreeEntry
---Where it is.
---@field path string
---Its branch; nil when HEAD is detached.
---@field branch? string
---The commit that it is on.
---@field head? string
---Whether it is locked.
---@field locked boolean
---Whether it is the main checkout.
---@field main boolean

---@class git.Head
---The current branch; nil when HEAD is detached.
---@field branch? string
---The current commit.
---@field commit? string

---@class git.WorktreeOptions: git.RepoOptions
---The branch.
---@field branch string
---What to do when it exists: `"number"` takes the first free one of `x-2`, `x-3`…, `"continue"` goes on from its head, where no other has it checked out (default: `"error"`).
---@field if_exists? "error"|"number"|"continue"
---What it starts from (default: HEAD).
---@field base? git.Revision
---What becomes of uncommitted changes of the main checkout (default: `"ignore"`).
---@field dirty? "ignore"|"fail"|"copy"
---Directories to check out, with the files of those above them (default: all, or as sparse as the checkout is).
---@field sparse? string[]
---Files that git ignores, to be copied: those that `.worktreeinclude` names, none, or those that these patterns name (default: true).
---@field include? boolean|string[]
---A command that prepares it, once; `false` for none (default: the one of `agent.config`).
---@field setup? string|false
---Whether to fill submodules; else they are empty folders (default: false).
---@field submodules? boolean

---The repository: the one of `agent.config`, else the one around where agentlua was started.
---@class gitlib
git = {}

---Returns what something brought: an outcome or a worktree since its base, a branch since it left
---HEAD, two trees against each other, or without arguments the checkout.
---@async
---@param x git.Revision|git.DiffOptions
---@return git.Diff
---@nodiscard
---@overload async fun(): git.Diff
---@overload async fun(from: git.Revision, to: git.Revision): git.Diff
function git.diff(x) end

---Is `git.diff`, and returns `nil, e` for a failure.
---@async
---@param x git.Revision|git.DiffOptions
---@return git.Diff? diff
---@return agent.Error e
---@overload async fun(): git.Diff?, agent.Error
---@overload async fun(from: git.Revision, to: git.Revision): git.Diff?, agent.Error
function git.try_diff(x) end

---Merges a branch. A conflict or changes in the way raise, with `e.merge`; the target is never left
---half merged.
---@async
---@param x git.Revision|git.MergeOptions
---@return git.Merge
function git.merge(x) end

---Is `git.merge`, and returns `nil, e` for a failure.
---@async
---@param x git.Revision|git.MergeOptions
---@return git.Merge? merge
---@return agent.Error e
function git.try_merge(x) end

---Returns the pairs of branches that would conflict; nothing is touched.
---@async
---@param branches git.Revision[]
---@param options? git.RepoOptions
---@return git.Clash[]
---@nodiscard
function git.conflicts(branches, options) end

---Is `git.conflicts`, and returns `nil, e` for a failure.
---@async
---@param branches git.Revision[]
---@param options? git.RepoOptions
---@return git.Clash[]? clashes
---@return agent.Error e
function git.try_conflicts(branches, options) end

---Makes a worktree of the script's own on a new branch: `local wt <close> = git.worktree { … }`.
---@async
---@param options git.WorktreeOptions
---@return git.Worktree
---@nodiscard
function git.worktree(options) end

---Is `git.worktree`, and returns `nil, e` for a failure.
---@async
---@param options git.WorktreeOptions
---@return git.Worktree? worktree
---@return agent.Error e
function git.try_worktree(options) end

---Returns every worktree of the repository, the main checkout first.
---@async
---@param options? git.RepoOptions
---@return git.WorktreeEntry[]
---@nodiscard
function git.worktrees(options) end

---Is `git.worktrees`, and returns `nil, e` for a failure.
---@async
---@param options? git.RepoOptions
---@return git.WorktreeEntry[]? worktrees
---@return agent.Error e
function git.try_worktrees(options) end

---Returns every local branch.
---@async
---@param options? git.RepoOptions
---@return git.Branch[]
---@nodiscard
function git.branches(options) end

---Is `git.branches`, and returns `nil, e` for a failure.
---@async
---@param options? git.RepoOptions
---@return git.Branch[]? branches
---@return agent.Error e
function git.try_branches(options) end

---Returns commits, newest first.
---@async
---@param options? git.LogOptions
---@return git.Commit[]
---@nodiscard
function git.log(options) end

---Is `git.log`, and returns `nil, e` for a failure.
---@async
---@param options? git.LogOptions
---@return git.Commit[]? commits
---@return agent.Error e
function git.try_log(options) end

---Returns where HEAD is.
---@async
---@param options? git.RepoOptions
---@return git.Head
---@nodiscard
function git.head(options) end

---Is `git.head`, and returns `nil, e` for a failure.
---@async
---@param options? git.RepoOptions
---@return git.Head? head
---@return agent.Error e
function git.try_head(options) end

return git
