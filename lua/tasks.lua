-- The combinators: `agent.all` and its kin, over groups of tasks (src/vm/group.rs).
--
-- Each opens a group whose `<close>` cancels what still runs and waits until it has unwound; so
-- leaving early, by an error or a `break`, leaves nothing behind.
local agent, groups, kit = ...
local new_error, raise, usage, twin = kit.new_error, kit.raise, kit.usage, kit.twin

-- The name under which an item runs is the combinators' business, and no argument of scripts.
local query, try_query = agent.query, agent.try_query
function agent.query(spec)
  return query(spec)
end
function agent.try_query(spec)
  return try_query(spec)
end

local function describe(key)
  return type(key) == "string" and "`" .. key .. "`" or tostring(key)
end

-- Returns the keys of `items` in a fixed order. Items keep their keys: a list, or names.
local function keys_of(name, items)
  if type(items) ~= "table" then
    usage("`" .. name .. "` takes a table of items, not a " .. type(items))
  end
  if kit.is_result(items, "outcome") then
    usage(
      "`" .. name .. "` was given an outcome, not a table of items",
      "`agent.query` has already run it: pass the query's table alone"
    )
  end
  local list, names, largest = 0, {}, 0
  for key in next, items do
    if math.type(key) == "integer" and key > 0 then
      list, largest = list + 1, math.max(largest, key)
    elseif type(key) == "string" then
      names[#names + 1] = key
    else
      usage("`" .. name .. "`: an item cannot have the key " .. tostring(key))
    end
  end
  if list > 0 and #names > 0 then
    usage("`" .. name .. "`: items are a list or have names, not both (`" .. names[1] .. "`)")
  end
  if list ~= largest then
    local hole = 1
    while items[hole] ~= nil do
      hole = hole + 1
    end
    usage("`" .. name .. "`: item " .. hole .. " is nil; the list has a hole")
  end
  if list > 0 then
    for i = 1, list do
      names[i] = i
    end
  else
    table.sort(names)
  end
  return names
end

-- Returns the function that runs an item, after everything that can be checked was.
local function runner(name, item, key)
  local kind = type(item)
  if kind == "function" then
    return item
  elseif kind == "string" or (kind == "table" and not kit.is_result(item, "outcome")) then
    kit.check_query(item, "`" .. name .. "`: item " .. describe(key))
    return function()
      return query(item, type(key) == "string" and key or nil)
    end
  elseif kit.is_task(item) then
    return function()
      return item:await()
    end
  elseif kind == "table" then
    usage(
      "`" .. name .. "`: item " .. describe(key) .. " is an outcome, not a query",
      "`agent.query` has already run it: pass the query's table alone"
    )
  end
  usage(
    "`" .. name .. "`: item " .. describe(key) .. " is a " .. kind,
    "items are query tables, prompts, functions or tasks"
  )
end

local function limit_of(name, opts)
  if opts == nil then
    return math.huge
  end
  if type(opts) ~= "table" then
    usage("`" .. name .. "`: options must be a table, not a " .. type(opts))
  end
  for option in next, opts do
    if option ~= "limit" then
      usage("`" .. name .. "` has no option `" .. tostring(option) .. "`", "it takes `limit`")
    end
  end
  local limit = opts.limit
  if limit ~= nil and (math.type(limit) ~= "integer" or limit < 1) then
    usage("`" .. name .. "`: option `limit` must be a whole number from 1")
  end
  return limit or math.huge
end

local Group = {}
Group.__index = Group

function Group:__close()
  groups.close(self.raw, self.farewell)
end

-- Starts members until `limit` run.
function Group:fill()
  while self.running < self.limit and self.index < #self.keys do
    self.index = self.index + 1
    self.running = self.running + 1
    local key = self.keys[self.index]
    local item = self.items and self.items[key]
    groups.start(self.raw, key, self.subjects[key], self.run[self.index], item, key)
  end
end

-- Returns the next member to end: `key, true, value` or `key, false, error`; nil when none is left.
function Group:next()
  self:fill()
  local key, ok, value = groups.next(self.raw)
  if key ~= nil then
    self.running = self.running - 1
  end
  return key, ok, value
end

-- `subjects` are what the script gave, for their names in errors; `items` what `run` is called with.
local function open(kind, keys, run, opts, subjects, items)
  local name = "agent." .. kind
  return setmetatable({
    raw = groups.new(kind, name),
    farewell = "the other items of `" .. name .. "` are no longer needed",
    keys = keys,
    run = run,
    subjects = subjects,
    items = items,
    limit = limit_of(name, opts),
    index = 0,
    running = 0,
  }, Group)
end

local function open_items(kind, items, opts)
  local name = "agent." .. kind
  local keys, run = keys_of(name, items), {}
  limit_of(name, opts)
  for i, key in ipairs(keys) do
    run[i] = runner(name, items[key], key)
  end
  return open(kind, keys, run, opts, items)
end

local function open_list(kind, list, fn, opts)
  local name = "agent." .. kind
  local keys, run = keys_of(name, list), {}
  if type(fn) ~= "function" then
    usage("`" .. name .. "`: argument 2 must be a function, not a " .. type(fn))
  end
  limit_of(name, opts)
  for i in ipairs(keys) do
    run[i] = fn
  end
  return open(kind, keys, run, opts, list, list)
end

-- Returns the values under their keys; the first failure raises, and closing cancels the rest.
local function gather(group)
  local values = {}
  for key, ok, value in group.next, group do
    if not ok then
      raise(value)
    end
    values[key] = value
  end
  return values
end

-- Returns `{ ok, value, error, outcome }` under their keys.
local function settle(group)
  local settled = {}
  for key, ok, value in group.next, group do
    local item = { ok = ok }
    if ok then
      item.value = value
      item.outcome = kit.is_result(value, "outcome") and value or nil
    else
      item.error = value
      item.outcome = getmetatable(value) == kit.Error and value.outcome or nil
    end
    settled[key] = kit.result("settled item", item)
  end
  return settled
end

function agent.all(items, opts)
  local group <close> = open_items("all", items, opts)
  return gather(group)
end

function agent.all_settled(items, opts)
  local group <close> = open_items("all_settled", items, opts)
  return settle(group)
end

function agent.map(list, fn, opts)
  local group <close> = open_list("map", list, fn, opts)
  return gather(group)
end

function agent.map_settled(list, fn, opts)
  local group <close> = open_list("map_settled", list, fn, opts)
  return settle(group)
end

function agent.pipeline(list, stages, opts)
  if type(stages) ~= "table" or #stages == 0 then
    usage("`agent.pipeline` takes a list of stages, each a function")
  end
  for i, stage in ipairs(stages) do
    if type(stage) ~= "function" then
      usage("`agent.pipeline`: stage " .. i .. " is a " .. type(stage) .. ", not a function")
    end
  end
  local group <close> = open_list("pipeline", list, function(item, key)
    local value = item
    for _, stage in ipairs(stages) do
      value = stage(value, item, key)
    end
    return value
  end, opts)
  return gather(group)
end

-- Waits for the first success; when it returns, the others have unwound.
local function winner_of(items, opts)
  local group <close> = open_items("race", items, opts)
  if #group.keys == 0 then
    usage("`agent.race` needs at least one item")
  end
  local errors, last = {}, nil
  for key, ok, value in group.next, group do
    if ok then
      for _, e in next, errors do
        if getmetatable(e) == kit.Error and e.outcome then
          kit.excuse(e.outcome.id)
        end
      end
      return group, key, value
    end
    errors[key], last = value, value
  end
  local ours = getmetatable(last) == kit.Error
  local e = new_error(
    ours and last and last.kind or "tool",
    #group.keys .. " of " .. #group.keys .. " items failed, the last with: " .. tostring(last)
  )
  e.errors = errors
  raise(e)
end

function agent.race(items, opts)
  local group, winner, value = winner_of(items, opts)
  -- A task that runs for others too has lost all the same.
  local tasks = {}
  for key, item in next, items do
    if kit.is_task(item) and not rawequal(item, items[winner]) then
      item:cancel()
      item:try_await()
      tasks[#tasks + 1] = item
    end
  end
  groups.remove_losers(group.raw, winner, table.unpack(tasks))
  return value, winner
end

function agent.iter(items, opts)
  local group = open_items("iter", items, opts)
  return function()
    local key, ok, value = group:next()
    if ok then
      return key, value, nil
    end
    return key, nil, value
  end,
    nil,
    nil,
    group
end

function agent.timeout(seconds, fn, ...)
  if type(fn) ~= "function" then
    usage("`agent.timeout`: argument 2 must be a function, not a " .. type(fn))
  end
  local group <close> = setmetatable({
    raw = groups.deadline(seconds, fn, ...),
    farewell = "`agent.timeout` is over",
  }, Group)
  local function first(_, ok, ...)
    if not ok then
      raise((...))
    end
    return ...
  end
  return first(groups.next(group.raw))
end

for _, name in ipairs {
  "all",
  "all_settled",
  "iter",
  "map",
  "map_settled",
  "pipeline",
  "race",
  "timeout",
} do
  agent["try_" .. name] = twin(agent[name])
end

function agent.spawn(item, ...)
  local kind = type(item)
  if kind == "function" then
    return groups.spawn(item, false, ...)
  elseif kind == "string" or (kind == "table" and not kit.is_result(item, "outcome")) then
    kit.check_query(item, "`agent.spawn`")
    return groups.spawn(function()
      return agent.query(item)
    end, true)
  end
  usage(
    "`agent.spawn` takes a query table, a prompt or a function, not "
      .. (kind == "table" and "an outcome" or "a " .. kind)
  )
end
