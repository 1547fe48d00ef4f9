-- repo
-- exit: 1
-- Without room for what may be made at once nothing is asked and nothing is made.
local disk = sh.check("mkdir -p ../disk && cd ../disk && pwd").stdout:gsub("%s+$", "")
if not sh("mount -t tmpfs -o size=4m tmpfs " .. disk).ok then
  log.warn("skipped: a small file system cannot be mounted here")
  os.exit(1)
end
local asked = 0
local model = agent.model {
  reply = function()
    asked = asked + 1
    agent.sleep(0.2)
    return "done"
  end,
}
local ok, wrong = pcall(function()
  fs.mkdir("files")
  for i = 1, 10 do
    fs.write("files/" .. i, ("x"):rep(200000))
  end
  sh.check("git add -A && git commit -qm files")
  agent.config { worktree_root = disk, concurrency = 3 }
  -- One fits.
  agent.query { prompt = "x", model = model }
  assert(asked == 1, "it was asked")
  local items = {}
  for i = 1, 3 do
    items[i] = { prompt = "x", branch = "b" .. i, model = model }
  end
  local refused = 0
  for _, each in ipairs(agent.all_settled(items)) do
    if not each.ok then
      refused = refused + 1
      assert(each.error.kind == "git" and each.outcome.num_turns == 0, tostring(each.error))
      assert(each.error.message:find("has %d.* left"), each.error.message)
    end
  end
  -- When the others have given up there is room for the last.
  assert(refused >= 2 and asked <= 2, "no room for three")
  assert(#git.worktrees() == 1, "nothing is left")
  agent.query { prompt = "x", worktree = { sparse = {} }, model = model }
  agent.query { prompt = "x", branch = "small", worktree = { sparse = {} }, model = model }
end)
sh.check("umount " .. disk)
assert(ok, tostring(wrong))
