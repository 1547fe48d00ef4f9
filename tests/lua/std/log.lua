-- `log` writes to standard error, warnings and errors by name, debug only when asked.
fs.write("inner.lua", "log.debug('d') log.info('i', 1, nil) log.warn('w') log.error('e')")
local exe = "/proc/" .. fs.read("/proc/self/stat"):match("^%d+") .. "/exe"
local ran = sh.run { cmd = exe, args = { "run", "inner.lua" } }
assert(ran.ok and ran.stdout == "", "standard output is the script's")
assert(ran.stderr == "i\t1\tnil\nwarning: w\nerror: e\n", ran.stderr)
ran = sh.run { cmd = exe, args = { "run", "--quiet", "inner.lua" } }
assert(ran.stderr == "warning: w\nerror: e\n", ran.stderr)
ran = sh.run { cmd = exe, args = { "run", "inner.lua" }, env = { AGENTLUA_LOG = "debug" } }
assert(ran.stderr:match("^d\n"), ran.stderr)
