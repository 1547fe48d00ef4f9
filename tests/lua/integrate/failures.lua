-- repo
-- What cannot be integrated is an error, and leaves target and branches as they were.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check([[
printf '1\n2\n3\n' > shared; git add shared; git commit -qm base
for name in x y z; do git checkout -q -b $name main; echo $name > $name; git add .; git commit -qm $name; done
for name in p q; do
  git checkout -q -b $name main; printf "$name\n2\n3\n" > shared; git commit -qam $name
done
git checkout -q main
]])
local before = git_of("rev-parse main")
local refs = git_of("for-each-ref refs/heads --format='%(refname) %(objectname)'")
local function untouched(branch)
  assert(git_of("rev-parse main") == before, "the target is where it was")
  assert(git_of("status --porcelain -uno") == "", "and its checkout as it was")
  assert(#git.worktrees() == 1, "no worktree is left")
  if branch then
    sh.check("git branch -qD " .. branch)
  end
  local now = git_of("for-each-ref refs/heads --format='%(refname) %(objectname)'")
  assert(now == refs, "nor any other branch: " .. now)
end
local function model(command)
  return agent.model {
    reply = function(request)
      if #(request.results or {}) > 0 then
        return "done"
      end
      return { tools = { { name = "Bash", input = { command = command } } } }
    end,
  }
end

-- Nobody resolves it: what was merged before is on the branch.
local done, e = agent.try_integrate {
  branches = { "x", "p", "q" },
  branch = "new",
  into = "main",
  model = model("true"),
}
assert(done == nil and e.kind == "git" and e.merge.status == "conflicted", tostring(e))
assert(e.outcome.ok == false and e.outcome.subtype == "error_during_execution", e.outcome.subtype)
assert(e.outcome.branch == "new" and e.merge.commit == git_of("rev-parse new"), "so far")
local statuses = {}
for i, merge in ipairs(e.merge.merges) do
  statuses[i] = merge.branch .. " " .. merge.status
end
assert(
  table.concat(statuses, ", ") == "x fast_forward, p merged, q conflicted",
  table.concat(statuses, ", ")
)
assert(e.merge.merges[3].outcome.id, "the agent that did not do it is named")
assert(e.message:find("there are still conflict markers in `shared`", 1, true), e.message)
assert(table.concat(e.outcome.files_changed, " ") == "shared x", "what is on it")
untouched("new")

-- A side that is lost is a conflict too.
local lost
lost, e = agent.try_integrate {
  branches = { "p", "q" },
  branch = "new",
  model = model("printf 'p\\n2\\n3\\n' > shared"),
}
assert(lost == nil and e.kind == "git" and e.merge.dropped[1].line == "q", tostring(e))
local why = "lines that a side had added to `shared` are not in the result, and nobody said why"
assert(e.message:find(why, 1, true), e.message)
untouched("new")
lost, e = agent.try_integrate {
  branches = { "p", "q" },
  branch = "new",
  on_conflict = function(conflict)
    conflict.worktree:sh("printf 'p\\n2\\n3\\n' > shared")
    return true
  end,
}
assert(lost == nil and e.merge.dropped[1].line == "q", "also by a function")
untouched("new")
local kept = agent.integrate {
  branches = { "p", "q" },
  branch = "new",
  on_conflict = function(conflict)
    conflict.worktree:sh("printf 'p\\n2\\n3\\n' > shared")
    return true, "p is right"
  end,
}
assert(kept.ok and kept.merges[2].dropped[1].reason == "p is right", "unless it says why")
assert(kept.num_turns == 0 and kept.id == nil, "no agent was needed")
untouched("new")

-- A result that is never good; an agent that changes nothing does not make it so.
local runs = 0
done, e = agent.try_integrate {
  branches = { "x", "y", "z" },
  branch = "new",
  into = "main",
  verify_attempts = 2,
  model = model("true"),
  verify = function(wt)
    runs = runs + 1
    return not wt:sh("test -e x && test -e y").ok, "x and y do not go together"
  end,
}
assert(done == nil and e.kind == "verify" and e.merge.status == "verify_failed", tostring(e))
assert(e.merge.output == "x and y do not go together" and e.outcome.subtype == "error_verify")
assert(e.outcome.branch == "new" and e.hint:find("on `new`", 1, true), "the merges are there")
assert(runs == 5, "tip, base, two to find the culprit, tip again: " .. runs)
untouched("new")

-- On a base that is not good there is nothing to repair.
done, e = agent.try_integrate {
  branches = { "x" },
  branch = "new",
  verify = "false",
  model = model("true"),
}
assert(
  done == nil and e.kind == "verify" and e.message:find("with nothing merged", 1, true),
  e.message
)
untouched("new")

-- The target moves meanwhile: the result is merged into it, and verified again.
sh.check("git checkout -q -b elsewhere main")
local verified = 0
done = agent.integrate {
  branches = { "x", "y" },
  branch = "new",
  into = "main",
  model = model("true"),
  verify = function(wt)
    verified = verified + 1
    if verified == 1 then
      sh.check("git update-ref refs/heads/main $(git commit-tree -p main -m between main^{tree})")
    end
    return wt:sh("test -e x -a -e y")
  end,
}
assert(done.ok and verified == 2, "verified " .. verified)
assert(git_of("log -1 --format=%P main") == git_of("rev-parse main^") .. " " .. done.head_commit)
sh.check("git checkout -q main; git reset -q --hard " .. before .. "; git branch -qD elsewhere")
untouched("new")

-- Nothing new, a name of its own, and strategy squash.
done = agent.integrate {
  branches = { "x", "y" },
  strategy = "squash",
  model = model("true"),
  base = "x",
}
assert(done.branch:find("^agentlua/integrate%-%x+$"), done.branch)
assert(done.merges[1].status == "up_to_date" and done.merges[2].status == "merged", "one was there")
assert(git_of("log --format=%s -1 " .. done.branch) == "Squash branch 'y'")
assert(table.concat(done.files_changed, " ") == "y")
untouched(done.branch)

-- Cancelled: nothing is half merged.
local ok, stopped = pcall(agent.timeout, 0.5, function()
  agent.integrate {
    branches = { "p", "q" },
    branch = "new",
    into = "main",
    model = agent.model {
      reply = function()
        agent.sleep(60)
      end,
    },
  }
end)
assert(not ok and stopped.kind == "timeout", tostring(stopped))
untouched(sh("git rev-parse -q --verify refs/heads/new").ok and "new" or nil)

for options, message in pairs {
  [{}] = "needs the option `branches`",
  [{ branches = {} }] = "names no branch",
  [{ branches = { "x" }, strategy = "rebase" }] = "must be `merge` or `squash`",
  [{ branches = { "x" }, on_conflict = print, model = "y" }] = "put it in there",
  [{ branches = { "x" }, verify_attempts = 0 }] = "`verify_attempts`",
  [{ branches = { "x" }, target = "y" }] = "has no option `target`",
} do
  local fine, wrong = pcall(agent.integrate, options)
  assert(
    not fine and wrong.kind == "usage" and wrong.message:find(message, 1, true),
    tostring(wrong)
  )
end
for options, message in pairs {
  [{ branches = { "x" }, branch = "y", on_conflict = print }] = "the branch `y` already exists",
  [{ branches = { "nope" }, on_conflict = print }] = "nope",
} do
  local fine, wrong = agent.try_integrate(options)
  assert(
    fine == nil and wrong.kind == "git" and wrong.message:find(message, 1, true),
    tostring(wrong)
  )
  assert(not (wrong.hint or ""):find("branch -D", 1, true), "nobody is told to delete a branch")
end
untouched()
-- An agent was cancelled on the way, and that is all.
os.exit(0)
