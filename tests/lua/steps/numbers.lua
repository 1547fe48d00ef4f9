-- The clock and the dice.
local now = agent.now()
assert(math.type(now) == "float" and math.abs(now - os.time()) < 60, now)
agent.sleep(0.01)
assert(agent.now() > now)
for _ = 1, 50 do
  local unit = agent.random()
  assert(math.type(unit) == "float" and unit >= 0 and unit < 1)
  local die = agent.random(6)
  assert(math.type(die) == "integer" and die >= 1 and die <= 6)
  local around = agent.random(-3.0, 3)
  assert(around >= -3 and around <= 3)
end
assert(agent.random(5, 5) == 5)
assert(math.type(agent.random(0)) == "integer")
assert(math.type(agent.random(math.mininteger, math.maxinteger)) == "integer")
assert(agent.random() ~= agent.random(), "two calls are two numbers")
for args, why in pairs {
  [{ 3, 1 }] = "there is no number from 3 to 1",
  [{ -1 }] = "there is no number from 1 to -1",
  [{ "x" }] = "argument 1 (`m`) must be a whole number, not string",
  [{ 1, 2.5 }] = "argument 2 (`n`) must be a whole number, not number",
} do
  local _, e = pcall(agent.random, table.unpack(args))
  assert(e.kind == "usage" and e.message:find(why, 1, true), e.message)
end
