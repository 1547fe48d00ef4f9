---@meta agentlua.git

---A branch or any revision; or an outcome, a task or a worktree, for its branch; or a pull request, which
---is fetched if need be; or what an agent had after one of its turns, such as `agent-a3f2@turn:4`.
---@alias git.Revision string|agent.Outcome|agent.Task|git.Worktree|github.Pull

---Where a function of `git` works.
---@class git.RepoOptions
---The repository to work on (default: the one of `agent.config`, else the one around where agentlua was started).
---@field repo? string

---What `git.diff` compares.
---@class git.DiffOptions: git.RepoOptions
---Where to start (default: where `to` left HEAD, or HEAD without `to`).
---@field from? git.Revision
---What to compare (default: the checkout).
---@field to? git.Revision
---Only these paths (default: all).
---@field paths? string[]
---Whether to take the index and not the files (default: false).
---@field staged? boolean

---Why a reviewer must look at a file.
---@alias git.Flag
---| "hook" A git hook, or what configures a program that runs them.
---| "ci" What a server runs for a push.
---| "symlink" A symlink that is new or points elsewhere than before.
---| "outside" A symlink whose target, as it is written, lies outside the tree or in `.git`.
---| "executable" A file that became a program.
---| "submodule" A repository within the repository.
---| "attributes" What makes git run filters, drivers and downloads.
---| "autorun" What an editor, a shell or an agent runs or obeys when the folder is opened.

---What differs; `tostring` is the patch. One of more than 64 MiB is an error that asks for `paths`.
---@class git.Diff
---As `git diff` prints it.
---@field patch string
---For people, as `git diff --stat`: a line for each file with its flags, then the totals.
---@field summary string
---What a reviewer must see.
---@field flags git.DiffFlag[]
---The files that differ.
---@field files git.FileDiff[]
---Lines that came.
---@field additions integer
---Lines that went.
---@field deletions integer

---A file of a diff that a reviewer must look at, and why.
---@class git.DiffFlag
---The path.
---@field path string
---Why.
---@field flag git.Flag

---A file that differs.
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
---Whether git takes it for binary.
---@field binary boolean
---Its mode before, such as `"100644"`; nil when it is new.
---@field old_mode? string
---Its mode now; nil when it is gone.
---@field new_mode? string
---Where it points, if it is a symlink now.
---@field target? string
---Why a reviewer must look at it; mostly empty.
---@field flags git.Flag[]

---What `git.merge` merges, where to, and who has to agree.
---@class git.MergeOptions: git.RepoOptions
---What to merge (default: `branches`, one of the two has to be).
---@field branch? git.Revision
---What to merge one on another, in the order with the fewest conflicts, to land by one move of the
---target: what conflicts or fails `verify` is left out, and the call raises once the rest has landed
---(default: only `branch`).
---@field branches? git.Revision[]
---Whether nothing lands unless all `branches` do (default: false).
---@field all? boolean
---The branch to merge into, checked out or not (default: the current one).
---@field into? git.Revision
---How; `"rebase"` replays the branch's own commits on the target, as `git rebase` does: without merge
---commits, and without those that change nothing there (default: `"merge"`).
---@field strategy? "merge"|"squash"|"ff"|"rebase"
---The commit's message (default: git's).
---@field message? string
---Has to agree before anything moves: a command in a temporary worktree with the merged files, or a
---function that gets that worktree and fails when it raises, returns false, nil and a reason, or a
---table whose `ok` is false. A command sees the variables that agents' commands see
---(default: no one is asked).
---@field verify? string|fun(worktree: git.Worktree): any, string?
---Resolves conflicts in a temporary worktree with the half-merged files. When it returns true the files
---as they are become the merge commit, unless a conflict marker is left; when it returns nothing, each
---path in conflict must have changed too. False or nil, with a reason, raises the conflict. A table is
---the query of agents that do it: one is told of both sides, and what it makes must keep the lines of
---both, or say why not. What both sides only added at one place stays without anybody's help
---(default: raises the conflict).
---@field on_conflict? agent.TeamOptions|fun(conflict: git.Dispute): boolean?, string?

---A path that was in conflict.
---@class git.Resolution
---The path.
---@field path string
---How: `"additions"` are those of both sides.
---@field how "additions"|"function"|"agent"
---The id of the agent that did it.
---@field by? string

---A line that a side had added to a path in conflict, and that the result lacks.
---@class git.DroppedLine
---The path.
---@field path string
---Whose it was: `"ours"` is the target, `"theirs"` the branch.
---@field side "ours"|"theirs"
---The line, without the space around it.
---@field line string
---Why, as whoever resolved the conflict says.
---@field reason? string

---What a merge has come to.
---@class git.Merge
---What happened.
---@field status "merged"|"fast_forward"|"up_to_date"
---The head of the target now.
---@field commit string
---The branch that was merged into.
---@field into string
---What became of each of `branches`, in that order; nil of a merge without them.
---@field merges git.BranchMerge[]
---How each path that was in conflict was resolved; nil without any.
---@field resolved? git.Resolution[]
---The first 200 lines of a side that are gone; nil when none are.
---@field dropped? git.DroppedLine[]
---How many they are.
---@field dropped_total? integer

---Why a merge did not happen; the target is as it was, save with the status `"partial"`.
---@class git.FailedMerge
---What happened; `"partial"` when some of `branches` have landed, `"failed"` when `agent.integrate` ended
---for another reason.
---@field status "conflicted"|"refused"|"verify_failed"|"partial"|"failed"
---What conflicts.
---@field conflicts? git.Conflict[]
---Why it was refused: `"diverged"` is no fast-forward, `"merges"` a rebase that would lose what merge
---commits resolved, `"failed"` a checkout that could not follow (all is undone), `"moved"` a target
---that others kept moving, `"uncommitted"` an outcome without a commit.
---@field reason? "dirty"|"parked"|"unmerged"|"no_common_base"|"diverged"|"merges"|"failed"|"moved"|"uncommitted"
---The paths that it is about.
---@field paths? string[]
---The last lines of what `verify` wrote, or its reason.
---@field output? string
---The commit that could not be replayed; of several branches, the head of the target now.
---@field commit? string
---The target of several branches.
---@field into? string
---What became of each of `branches`.
---@field merges? git.BranchMerge[]
---How each path that was in conflict was resolved; nil without any.
---@field resolved? git.Resolution[]
---The first 200 lines of a side that are gone; nil when none are.
---@field dropped? git.DroppedLine[]
---How many they are.
---@field dropped_total? integer

---What became of one of several branches.
---@class git.BranchMerge
---The branch.
---@field branch string
---What happened; `"held_back"` is good and did not land because of `all`, `"not_tried"` is one whose turn
---in `agent.integrate` did not come.
---@field status "merged"|"fast_forward"|"up_to_date"|"conflicted"|"refused"|"verify_failed"|"held_back"|"not_tried"|"failed"
---The commit that it became, or that could not be replayed.
---@field commit? string
---What went wrong, in a sentence.
---@field message? string
---What conflicts.
---@field conflicts? git.Conflict[]
---Why it was refused.
---@field reason? string
---The paths that it is about.
---@field paths? string[]
---The last lines of what `verify` wrote.
---@field output? string
---How each path that was in conflict was resolved; nil without any.
---@field resolved? git.Resolution[]
---The first 200 lines of a side that are gone; nil when none are.
---@field dropped? git.DroppedLine[]
---How many they are.
---@field dropped_total? integer
---The outcome of the agent that did not resolve it.
---@field outcome? agent.Outcome

---Conflicts that `on_conflict` is to resolve.
---@class git.Dispute
---What is merged.
---@field branch string
---The target.
---@field into string
---The paths in conflict.
---@field paths string[]
---What conflicts.
---@field conflicts git.Conflict[]
---Holds the half-merged files, with markers, and all sides in its index. It goes when the function
---returns.
---@field worktree git.Worktree

---A path that git cannot merge by itself.
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

---Which commits `git.log` lists.
---@class git.LogOptions: git.RepoOptions
---Where to start (default: HEAD).
---@field rev? git.Revision
---Commits at most (default: all).
---@field limit? integer
---Only commits that touch these paths (default: all).
---@field paths? string[]

---A commit.
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

---A local branch.
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

---A worktree of the repository, of agentlua or not.
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
---The agent that worked in it last; nil when it is not agentlua's.
---@field agent? string
---The run of that agent.
---@field run? string
---Whether that agent still works in it.
---@field in_use? boolean

---Where HEAD is.
---@class git.Head
---The current branch; nil when HEAD is detached.
---@field branch? string
---The current commit.
---@field commit? string

---What `git.status` looks at.
---@class git.StatusOptions: git.RepoOptions
---Only these paths (default: all).
---@field paths? string[]
---Whether to list files that git does not know; a folder of nothing else is one path, unless it is `"all"` (default: true).
---@field untracked? boolean|"all"|"normal"|"no"

---The state of a checkout.
---@class git.Status
---The current branch; nil when HEAD is detached.
---@field branch? string
---The current commit; nil before the first.
---@field commit? string
---What the branch follows, such as `origin/main`; nil without one.
---@field upstream? string
---Commits that the upstream lacks; nil without one.
---@field ahead? integer
---Commits that the upstream has and the branch lacks; nil without one.
---@field behind? integer
---What waits for its user.
---@field operation? "merge"|"rebase"|"cherry_pick"|"revert"|"bisect"
---Whether there are no files to list and nothing waits.
---@field clean boolean
---The files that are not as the last commit has them.
---@field files git.FileStatus[]

---What became of a file.
---@alias git.Change "added"|"modified"|"deleted"|"renamed"|"copied"|"type_changed"

---A file that is not as the last commit has it.
---@class git.FileStatus
---Its path.
---@field path string
---Its path before; nil unless it was renamed or copied.
---@field old_path? string
---What is staged; nil if nothing is.
---@field staged? git.Change
---What is not staged; nil if all is.
---@field unstaged? git.Change
---Whether git does not know it.
---@field untracked boolean
---Whether a merge left it in conflict.
---@field conflicted boolean

---What `git.commit` commits, and as whom.
---@class git.CommitOptions: git.RepoOptions
---The message (default: with `amend`, that of the last commit; else it must be given).
---@field message? string
---Only these files and folders, as they are, new ones too; paths start at the top (default: what is staged).
---@field paths? string[]
---Every changed file that git knows (default: false).
---@field all? boolean
---Whether it takes the place of the last commit (default: false).
---@field amend? boolean
---Whether it may change nothing (default: false).
---@field allow_empty? boolean
---Who wrote it, as `Ada <ada@example.com>` (default: you).
---@field author? string

---A commit that was made.
---@class git.MadeCommit
---Its id.
---@field commit string
---The branch that it is on; nil when HEAD is detached.
---@field branch? string
---The paths that it changed.
---@field files string[]

---A commit with what it changed against its first parent.
---@class git.ShownCommit: git.Commit
---What it changed.
---@field diff git.Diff

---What `git.fetch` fetches.
---@class git.FetchOptions: git.RepoOptions
---The remote, or an address (default: the one that the branch follows, else `origin`).
---@field remote? string
---What of it, in git's words: `{ "main", "+dev:refs/remotes/origin/dev" }` (default: what the remote is configured for).
---@field refspecs? string[]
---Whether refs of branches that are gone there go here too, whatever your settings (default: false).
---@field prune? boolean
---Whether all tags come, or none (default: those of the commits that come).
---@field tags? boolean
---Seconds that it may take (default: 600).
---@field timeout? number

---What `git.push` pushes, and where to.
---@class git.PushOptions: git.RepoOptions
---The remote, or an address (default: the one that git would push to).
---@field remote? string
---The branch or tag (default: the current branch).
---@field branch? git.Revision
---Its name there (default: the same).
---@field to? string
---Whether the branch follows that one from now on (default: false).
---@field set_upstream? boolean
---Whether commits there may be dropped: if it is where you saw it last, or at this revision (default: false).
---@field force_with_lease? boolean|git.Revision
---Whether to ask only what would happen (default: false).
---@field dry_run? boolean
---Seconds that it may take (default: 600).
---@field timeout? number

---What a fetch or a push moved.
---@class git.Transfer
---The remote.
---@field remote string
---The refs that moved; of a push also one that is up to date.
---@field refs git.RefChange[]

---A ref that a fetch or a push moved.
---@class git.RefChange
---Its full name: here for a fetch (`FETCH_HEAD` if it has none), there for a push.
---@field ref string
---What it pointed to; nil when it is new.
---@field old? string
---What it points to now; nil when it is gone.
---@field new? string
---What happened.
---@field status "new"|"updated"|"forced"|"deleted"|"up_to_date"

---Why a push was rejected; nothing moved.
---@class git.FailedPush
---What happened.
---@field status "rejected"
---Why: it would lose commits, it is not where the lease says, the tag exists, or the remote's own rules.
---@field reason "non_fast_forward"|"stale"|"exists"|"remote"
---The ref there.
---@field ref string

---What `git.worktree` makes: the branch, where it starts, and what it gets.
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

---The repository: its branches, diffs and merges. It is the one of `agent.config`, else the one around where
---agentlua was started; every function takes `repo` to work elsewhere.
---@class gitlib
git = {}

---Returns what something brought: an outcome or a worktree since its base, a branch since it left
---HEAD, two trees against each other, or without arguments the checkout.
---```lua
---local diff = git.diff "topic" -- what the branch brought since it left HEAD
---print(diff.summary)
---for _, file in ipairs(diff.files) do
---  print(file.status, file.path, file.additions)
---end
---```
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

---Merges a branch, or several. A conflict, a `verify` that fails or changes in the way raise, with
---`e.merge`; the target is never left half merged. Merges into one target wait for each other.
---```lua
---local merge = git.merge { branch = "topic", into = "main", verify = "make test" }
---print(merge.status, merge.commit)
---```
---@async
---@param x git.Revision|git.MergeOptions
---@return git.Merge
function git.merge(x) end

---Is `git.merge`, and returns `nil, e` for a failure.
---```lua
---local merged, clash = git.try_merge { branch = "topic", into = "main" }
---if not merged and clash.merge then -- main is as it was
---  print(clash.message, table.concat(clash.merge.paths or {}, " "))
---end
---```
---@async
---@param x git.Revision|git.MergeOptions
---@return git.Merge? merge
---@return agent.Error e
function git.try_merge(x) end

---Returns the pairs of branches that would conflict; nothing is touched.
---```lua
---for _, clash in ipairs(git.conflicts { "api", "docs", "auth" }) do
---  print(clash.a, clash.b, table.concat(clash.paths, " "))
---end
---```
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
---```lua
---local wt <close> = git.worktree { branch = "release", base = "main" }
---wt:sh "npm version patch --no-git-tag-version"
---wt:commit "Bump the version"
---```
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
---```lua
---for _, commit in ipairs(git.log { rev = "main", limit = 10 }) do
---  print(commit.id:sub(1, 8), commit.subject)
---end
---```
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

---Returns the top of the checkout.
---@async
---@param options? git.RepoOptions
---@return string
---@nodiscard
function git.root(options) end

---Is `git.root`, and returns `nil, e` for a failure.
---@async
---@param options? git.RepoOptions
---@return string? path
---@return agent.Error e
function git.try_root(options) end

---Returns what the checkout holds beside what is committed.
---@async
---@param options? git.StatusOptions
---@return git.Status
---@nodiscard
function git.status(options) end

---Is `git.status`, and returns `nil, e` for a failure.
---@async
---@param options? git.StatusOptions
---@return git.Status? status
---@return agent.Error e
function git.try_status(options) end

---Commits in the checkout: what is staged, or `paths`, or `all`. No hooks run, for what an agent wrote
---may have changed them; it is signed if your git signs. A failure leaves the checkout and what is
---staged as it was.
---```lua
---git.commit { message = "Update the lockfile", paths = { "package-lock.json" } }
---```
---@async
---@param options git.CommitOptions
---@return git.MadeCommit
function git.commit(options) end

---Is `git.commit`, and returns `nil, e` for a failure.
---@async
---@param options git.CommitOptions
---@return git.MadeCommit? commit
---@return agent.Error e
function git.try_commit(options) end

---Returns the bytes of a file at a revision, as git has stored them (a file of LFS is its pointer; at
---most 64 MiB); without a path the commit, and what it changed against its first parent.
---@async
---@param rev git.Revision
---@param path string
---@param options? git.RepoOptions
---@return string
---@nodiscard
---@overload async fun(rev: git.Revision, options?: git.RepoOptions): git.ShownCommit
function git.show(rev, path, options) end

---Is `git.show`, and returns `nil, e` for a failure.
---@async
---@param rev git.Revision
---@param path string
---@param options? git.RepoOptions
---@return string? bytes
---@return agent.Error e
---@overload async fun(rev: git.Revision, options?: git.RepoOptions): git.ShownCommit?, agent.Error
function git.try_show(rev, path, options) end

---Fetches: `git.fetch()`, `git.fetch("origin", "main")`, `git.fetch { prune = true }`. Your credential
---helpers and keys are used; nobody is asked for a password. Local branches stay where they are.
---@async
---@param remote? string
---@param refspec? string
---@param options? git.FetchOptions
---@return git.Transfer
---@overload async fun(options: git.FetchOptions): git.Transfer
function git.fetch(remote, refspec, options) end

---Is `git.fetch`, and returns `nil, e` for a failure.
---@async
---@param remote? string
---@param refspec? string
---@param options? git.FetchOptions
---@return git.Transfer? fetched
---@return agent.Error e
---@overload async fun(options: git.FetchOptions): git.Transfer?, agent.Error
function git.try_fetch(remote, refspec, options) end

---Pushes a branch: `git.push()`, `git.push("origin", outcome, { set_upstream = true })`. Your
---credential helpers and keys are used; nobody is asked for a password. No hooks run, `pre-push`
---neither. A rejected push raises, with `e.push`.
---@async
---@param remote? string
---@param branch? git.Revision
---@param options? git.PushOptions
---@return git.Transfer
---@overload async fun(options: git.PushOptions): git.Transfer
function git.push(remote, branch, options) end

---Is `git.push`, and returns `nil, e` for a failure.
---@async
---@param remote? string
---@param branch? git.Revision
---@param options? git.PushOptions
---@return git.Transfer? pushed
---@return agent.Error e
---@overload async fun(options: git.PushOptions): git.Transfer?, agent.Error
function git.try_push(remote, branch, options) end

return git
