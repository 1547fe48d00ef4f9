-- Output that is too long for a variable is an error, and not cut in silence; so are files that
-- could never end.
local ok, e = pcall(sh, "head -c 300000000 /dev/zero")
assert(not ok and e.kind == "io" and e.message:find("wrote more than 256 MiB"), tostring(e))
local content, why = fs.try_read("/dev/zero")
assert(content == nil and why.kind == "io" and why.message:find("no regular file"), tostring(why))
