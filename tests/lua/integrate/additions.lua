-- repo
-- What both sides only added stays without anybody's help, but only where somebody resolves conflicts.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check([[
printf 'import os\nimport sys\n\nrun()\n' > list.py; printf 'a = 1\n\n\n\nz = 1\n' > pair
printf 'x\n' > bin.txt; echo 'bin.txt binary' > .gitattributes
git add .; git commit -qm base
git checkout -q -b work
sed -i '2a import work' list.py; git commit -qam work
git checkout -q main
sed -i '2a import main' list.py; git commit -qam main
]])
local asked = 0
local function resolver(conflict)
  asked = asked + 1
  conflict.worktree:sh("echo settled > " .. conflict.paths[1])
  return true
end

local merged, e = git.try_merge("work")
assert(merged == nil and e.merge.paths[1] == "list.py", "git alone does not")
merged = git.merge { branch = "work", on_conflict = resolver }
assert(merged.status == "merged" and asked == 0, "nobody had to be asked")
assert(merged.resolved[1].how == "additions" and merged.resolved[1].path == "list.py")
assert(merged.resolved[1].by == nil and merged.dropped == nil)
assert(
  fs.read("list.py") == "import os\nimport sys\nimport main\nimport work\n\nrun()\n",
  fs.read("list.py")
)
assert(#git.worktrees() == 1, "in memory")

-- Two values for one name are a question.
sh.check([[
git checkout -q -b name main; sed -i '1a b = 2' pair; git commit -qam two
git checkout -q main; sed -i '1a b = 3' pair; git commit -qam three
]])
merged = git.merge { branch = "name", on_conflict = resolver }
assert(asked == 1 and merged.resolved[1].how == "function", "the function was asked")
assert(#merged.dropped == 2 and merged.dropped[1].reason == nil, "and what it dropped is told")

-- So is what is no text, and a file of which only a part could be kept.
sh.check([[
printf '1\n2\n3\n4\n5\n6\n7\n8\n9\n' > part; git add part; git commit -qm part
git checkout -q -b odd; sed -i '1a p' part; sed -i 's/9/nine/' part; echo o >> bin.txt; git commit -qam o
git checkout -q main; sed -i '1a q' part; sed -i 's/9/NINE/' part; echo p >> bin.txt; git commit -qam p
]])
merged = git.merge {
  branch = "odd",
  on_conflict = function(conflict)
    assert(table.concat(conflict.paths, " ") == "bin.txt part", table.concat(conflict.paths, " "))
    conflict.worktree:sh("printf '1\\nq\\np\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\nNINE\\n' > part")
    return true, "NINE it is"
  end,
}
assert(merged.resolved[2].how == "function" and #merged.dropped == 2, json.encode(merged))
assert(merged.dropped[1].line == "o" and merged.dropped[2].line == "nine", "of both files")
assert(merged.dropped[2].reason == "NINE it is", "with the reason")

-- A text about conflicts is not taken for one.
sh.check([[
printf 'a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\nd\n' > manual; git add manual; git commit -qm manual
git checkout -q -b manual; sed -i 's/^d/dd/' manual; git commit -qam dd
git checkout -q main; sed -i 's/^d/ddd/' manual; git commit -qam ddd
]])
merged = git.merge {
  branch = "manual",
  on_conflict = function(conflict)
    local text = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\ndd ddd\n"
    fs.write(conflict.worktree.path .. "/manual", text)
    return true
  end,
}
assert(merged.status == "merged", "those lines were there before")
assert(git_of("status --porcelain -uno") == "", "all is well")
