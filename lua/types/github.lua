---@meta agentlua.github

---Pull requests, issues and reviews at GitHub. The repository is the one that the remote `origin` leads
---to, unless `repo` names another. The token is `GITHUB_TOKEN` (or `GH_TOKEN`); `GITHUB_API_URL` names an
---Enterprise host (`https://ghe.example/api/v3`). Lists are followed page by page; rate limits are waited
---for, up to 15 minutes, and what only looks is asked again when a connection breaks.
---
---What changes something (`comment`, `review`, `create_pull`, `api` with another method than GET) is done
---once: a run that is resumed does not do it again. In a dry run it is listed and not done.
---@class githublib
github = {}

---A pull request. It may stand wherever a branch or revision is taken: as the `base` of an agent, in
---`git.diff`, `git.merge`, `git.conflicts`. It is fetched when it is needed, forks and deleted branches
---included, and is always the commit `head_sha`.
---@class github.Pull
---Its number.
---@field number integer
---Its title.
---@field title string
---What it says; empty if nothing.
---@field body string
---Who opened it; `"ghost"` for somebody who has left.
---@field author string
---Where people read it.
---@field url string
---Whether it is open.
---@field state "open"|"closed"
---Whether it is not ready yet.
---@field draft boolean
---The names of its labels.
---@field labels string[]
---The branch that it comes from.
---@field head_ref string
---The newest commit of that.
---@field head_sha string
---The repository of that branch, as `owner/name`; nil when it is gone.
---@field head_repo? string
---The branch that it is for.
---@field base_ref string
---The commit of that which GitHub compares it with.
---@field base_sha string
---The repository that it is for, as `owner/name`.
---@field repo string
---Whether it comes from another repository.
---@field fork boolean
---Whether it has landed.
---@field merged boolean
---When it was opened, such as `"2026-01-26T19:01:12Z"`.
---@field created_at? string
---When it changed last.
---@field updated_at? string

---An issue.
---@class github.Issue
---Its number.
---@field number integer
---Its title.
---@field title string
---What it says; empty if nothing.
---@field body string
---Who opened it; `"ghost"` for somebody who has left.
---@field author string
---Where people read it.
---@field url string
---Whether it is open.
---@field state "open"|"closed"
---The names of its labels.
---@field labels string[]
---How many comments it has.
---@field comments integer
---The repository, as `owner/name`.
---@field repo string
---When it was opened, such as `"2026-01-26T19:01:12Z"`.
---@field created_at? string
---When it changed last.
---@field updated_at? string

---A comment that was made.
---@class github.Comment
---Its id.
---@field id integer
---Where people read it.
---@field url string
---What it says.
---@field body string
---Who wrote it.
---@field author string
---When.
---@field created_at? string

---A review that was submitted.
---@class github.Review
---Its id.
---@field id integer
---Where people read it.
---@field url string
---What it says as a whole.
---@field body string
---Who wrote it.
---@field author string
---What it came to.
---@field state "COMMENTED"|"APPROVED"|"CHANGES_REQUESTED"|"PENDING"|"DISMISSED"

---A pull request or an issue: its number, or what a function here returned.
---@alias github.Number integer|github.Pull|github.Issue

---The repository that a call is about.
---@class github.RepoOptions
---The repository, as `owner/name` (default: that of the pull request, else where `origin` leads).
---@field repo? string

---What `github.pulls` lists.
---@class github.PullsOptions: github.RepoOptions
---Which (default: `"open"`).
---@field state? "open"|"closed"|"all"
---Only those into this branch (default: any).
---@field base? string
---Only those from this branch, `"owner:branch"` for that of a fork (default: any).
---@field head? string
---The most to list (default: all).
---@field limit? integer

---Lists pull requests, newest first.
---@async
---@param options? github.PullsOptions
---@return github.Pull[]
---@nodiscard
function github.pulls(options) end

---Like `github.pulls`, but returns `nil, error` instead of raising.
---@async
---@param options? github.PullsOptions
---@return github.Pull[]? pulls
---@return agent.Error? error
---@nodiscard
function github.try_pulls(options) end

---Returns a pull request.
---@async
---@param n github.Number
---@param options? github.RepoOptions
---@return github.Pull
---@nodiscard
function github.pull(n, options) end

---Like `github.pull`, but returns `nil, error` instead of raising.
---@async
---@param n github.Number
---@param options? github.RepoOptions
---@return github.Pull? pull
---@return agent.Error? error
---@nodiscard
function github.try_pull(n, options) end

---What `github.issues` lists.
---@class github.IssuesOptions: github.RepoOptions
---Which (default: `"open"`).
---@field state? "open"|"closed"|"all"
---Only those that have all of these labels (default: any).
---@field labels? string[]
---Only those of this person (default: anybody's).
---@field assignee? string
---The most to list (default: all).
---@field limit? integer

---Lists issues, newest first. Pull requests are not among them.
---@async
---@param options? github.IssuesOptions
---@return github.Issue[]
---@nodiscard
function github.issues(options) end

---Like `github.issues`, but returns `nil, error` instead of raising.
---@async
---@param options? github.IssuesOptions
---@return github.Issue[]? issues
---@return agent.Error? error
---@nodiscard
function github.try_issues(options) end

---Returns what a pull request changes, as GitHub shows it; nothing is fetched. GitHub refuses large ones:
---`git.diff(pull)` has no such limit.
---@async
---@param n github.Number
---@param options? github.RepoOptions
---@return git.Diff
---@nodiscard
function github.diff(n, options) end

---Like `github.diff`, but returns `nil, error` instead of raising.
---@async
---@param n github.Number
---@param options? github.RepoOptions
---@return git.Diff? diff
---@return agent.Error? error
---@nodiscard
function github.try_diff(n, options) end

---Comments on a pull request or an issue.
---@async
---@param n github.Number
---@param body string
---@param options? github.RepoOptions
---@return github.Comment
function github.comment(n, body, options) end

---Like `github.comment`, but returns `nil, error` instead of raising.
---@async
---@param n github.Number
---@param body string
---@param options? github.RepoOptions
---@return github.Comment? comment
---@return agent.Error? error
function github.try_comment(n, body, options) end

---A comment of a review, on a line that the diff of the pull request shows.
---@class github.ReviewComment
---The file, from the top of the repository.
---@field path string
---The line; of several the last.
---@field line integer
---The first of several lines (default: only `line`).
---@field start_line? integer
---Whether lines are counted as they are now, `"RIGHT"`, or as they were, `"LEFT"` (default: `"RIGHT"`).
---@field side? "RIGHT"|"LEFT"
---What it says.
---@field body string

---What a review says.
---@class github.ReviewOptions: github.RepoOptions
---What it says as a whole (default: nothing, where there are comments).
---@field body? string
---What it comes to (default: `"COMMENT"`).
---@field event? "COMMENT"|"APPROVE"|"REQUEST_CHANGES"|"comment"|"approve"|"request_changes"
---What it says of lines (default: none).
---@field comments? github.ReviewComment[]

---Reviews a pull request. When `n` is a pull request and no number, the review is of its `head_sha`.
---@async
---@param n github.Number
---@param review github.ReviewOptions
---@return github.Review
function github.review(n, review) end

---Like `github.review`, but returns `nil, error` instead of raising.
---@async
---@param n github.Number
---@param review github.ReviewOptions
---@return github.Review? review
---@return agent.Error? error
function github.try_review(n, review) end

---What pull request is made.
---@class github.CreatePullOptions: github.RepoOptions
---The branch to propose; it is pushed first.
---@field head git.Revision
---The branch that is to get it (default: the repository's default branch).
---@field base? git.Revision
---Its title.
---@field title string
---What it says (default: nothing).
---@field body? string
---Whether it is not ready yet (default: false).
---@field draft? boolean
---Where the branch is pushed to (default: the remote that leads to `repo`, else `origin`, as for a fork).
---@field remote? string

---Pushes a branch and opens a pull request for it. When there is one already that is an error, whose
---`url` and `number` say which.
---@async
---@param options github.CreatePullOptions
---@return github.Pull
function github.create_pull(options) end

---Like `github.create_pull`, but returns `nil, error` instead of raising.
---@async
---@param options github.CreatePullOptions
---@return github.Pull? pull
---@return agent.Error? error
function github.try_create_pull(options) end

---Asks the API for whatever it has, and returns what it answered. `{owner}/{repo}` in the path is the
---repository of `origin`. The third argument is the body; of a GET it is the parameters. Where a GET
---answers with a list, all its pages come together, unless `page` is among the parameters; a search, which
---answers with a table, has one page.
---@async
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string Such as `/repos/{owner}/{repo}/labels`.
---@param body? table
---@return any
function github.api(method, path, body) end

---Like `github.api`, but returns `nil, error` instead of raising.
---@async
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string
---@param body? table
---@return any answer
---@return agent.Error? error
function github.try_api(method, path, body) end

return github
