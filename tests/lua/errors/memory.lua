-- The memory of a script is limited; after the error it goes on.
local ok, e = pcall(string.rep, "x", 3 << 29)
assert(not ok, "a string of 1.5 GiB is refused")
assert(tostring(e):find("not enough memory", 1, true), tostring(e))
collectgarbage()
assert(#("x"):rep(1 << 20) == 1 << 20, "and then there is memory again")
