"""The Lua scripts of the Redis store. Their KEYS are the tables (`server.TABLES`) in their order."""

from __future__ import annotations

from typing import Final

from memwell.backends.redis import Script
from memwell.backends.redis.store.server import TABLES
from memwell.retrieval.analysis.text import ANALYSIS

__all__ = ["CHANGES", "COMMIT", "CUT_OVER", "EMBEDDINGS", "FOLLOW"]

_NAMES = "\n".join(
    f"local {table.upper()} = KEYS[{n}]" for n, table in enumerate(TABLES, 1) if table != "keys"
)

_LINEAGE = """
local function continue_after_failover(writing)
  -- Otherwise lost changes could not be distinguished from those that take their numbers.
  local info = redis.pcall('INFO', 'replication')
  local here = type(info) == 'string' and string.match(info, 'master_replid:(%w+)')
  local known = redis.call('HGET', META, 'lineage')
  if not here or here == known or not (known or writing) then return end
  redis.call('HDEL', META, 'lineage')  -- a first command that a full memory does not forbid
  if known then
    local seq = string.format('%.0f', tonumber(redis.call('HGET', META, 'seq') or '0') + 2^32)
    redis.call('DEL', CHANGES)
    redis.call('HSET', META, 'seq', seq, 'floor', seq, 'commit', '')
  end
  redis.call('HSET', META, 'lineage', here)
end
"""
"""On another server, or after a restart, the change sequence continues beyond all positions that it can have had:
followers may have read writes that this server has lost."""

_SERVING = """
local function choose_serving(fresh)
  -- A model serves as long as it has vectors; after that the first of those stored next.
  local function has(model)
    return redis.call('ZLEXCOUNT', EMBEDDED, '[' .. model .. '\\0', '(' .. model .. '\\1') > 0
  end
  local serving = redis.call('HGET', META, 'serving')
  if serving and has(serving) then return end
  if serving then redis.call('HDEL', META, 'serving') end
  for _, model in ipairs(fresh) do
    if has(model) then return redis.call('HSET', META, 'serving', model) end
  end
end
"""

COMMIT: Final = Script(
    _NAMES
    + _LINEAGE
    + _SERVING
    + """
if redis.call('HEXISTS', META, 'format') == 0 and redis.call('EXISTS', AGES) == 1 then return -2 end
continue_after_failover(true)
local TOKEN, STAGED, token, size = KEYS[17], KEYS[18], ARGV[1], tonumber(ARGV[2])
local known = redis.call('GET', TOKEN)
if known then return known == 'done' and 1 or -1 end  -- sent twice, or given up by the client

local plan, at = ARGV, 3
if STAGED then
  plan, at = {}, 1
  for first = 0, size - 1, 5000 do
    for _, item in ipairs(redis.call('LRANGE', STAGED, first, first + 4999)) do plan[#plan + 1] = item end
  end
  if #plan ~= size then return -1 end
end

local function take()
  at = at + 1
  return plan[at - 1]
end

local function quiet(since, tenant, user)  -- nothing of these owners has changed since
  if since < tonumber(redis.call('HGET', META, 'floor') or '0') then return false end
  local found = redis.call('XRANGE', CHANGES, string.format('%.0f-0', since + 1), '+', 'COUNT', 10001)
  if #found > 10000 then return false end
  for _, entry in ipairs(found) do
    local of = entry[2]
    if of[4] == tenant and (user == '' or of[6] == user) then return false end
  end
  return true
end

for _ = 1, tonumber(take()) do
  local table, field, seen = KEYS[tonumber(take())], take(), take()
  local value = redis.call('HGET', table, field)
  if (value and redis.sha1hex(value) or '') ~= seen then return 0 end
end
for _ = 1, tonumber(take()) do
  local since, tenant, user = tonumber(take()), take(), take()
  if not quiet(since, tenant, user) then return 0 end
end

for _ = 1, tonumber(take()) do  -- commands on whole tables, short enough to be unpacked
  local words = {take(), KEYS[tonumber(take())]}
  for _ = 1, tonumber(take()) do words[#words + 1] = take() end
  redis.call(unpack(words))
end

if redis.call('HSETNX', META, 'format', '1') == 1 then redis.call('HSET', META, 'analysis', 'ANALYSIS') end
local changed = tonumber(take())
if changed > 0 then
  local seq = tonumber(redis.call('HGET', META, 'seq') or '0')
  for _ = 1, changed do
    seq = seq + 1
    redis.call('XADD', CHANGES, string.format('%.0f-0', seq),
      'c', token, 't', take(), 'u', take(), 'i', take(), 'k', take(), 'd', take())
  end
  redis.call('HSET', META, 'seq', string.format('%.0f', seq), 'commit', token)
end

local fresh = {}
local count = tonumber(take())
if count >= 0 then
  for _ = 1, count do fresh[#fresh + 1] = take() end
  choose_serving(fresh)
end
if STAGED then redis.call('DEL', STAGED) end
redis.call('SET', TOKEN, 'done', 'EX', 60)
return 1
""".replace("ANALYSIS", str(ANALYSIS))
)
"""Apply a prepared change set if nothing it depends on has changed: 1 done, 0 something has changed, -1 given up,
-2 the table `meta` is lost.

ARGV: token, length of the plan, the plan; or, with an 18th key, the plan in that list. The plan: n, and n times table,
field, SHA-1 of the value read (empty: none); n, and n times position, tenant, user; n, and n times command, table,
number of words, the words; n, and n times tenant, user, id, key, deleted; n or -1, and the models newly stored.
"""

FOLLOW: Final = Script(
    _NAMES
    + _LINEAGE
    + """
continue_after_failover(false)
local after, known, tenant, user, limit = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local VALUES, partly = KEYS[tonumber(ARGV[6])], ARGV[7] == '1'
local last = tonumber(redis.call('HGET', META, 'seq') or '0')
local floor = tonumber(redis.call('HGET', META, 'floor') or '0')
local commit = redis.call('HGET', META, 'commit') or ''
if after == last and (known == '' and after == 0 or known == commit) then return {last, commit, 0} end
local more = last - after > limit
if after > last or after < floor or more and not partly then return {-1, '', 0} end
if after > 0 then
  local entry = redis.call('XRANGE', CHANGES, string.format('%.0f-0', after), string.format('%.0f-0', after))[1]
  if (entry and entry[2][2] or after == floor and '') ~= known then return {-1, '', 0} end
end
local found, seen = {last, commit, more and 1 or 0}, {}
local entries = redis.call('XRANGE', CHANGES, string.format('%.0f-0', after + 1), '+', 'COUNT', limit)
for _, entry in ipairs(entries) do
  local of = entry[2]
  if of[4] == tenant and (user == '' or of[6] == user) then
    local name = tenant .. '\\0' .. of[8]
    local value = false
    if of[12] == '0' and not seen[name] then
      seen[name] = true
      value = redis.call('HGET', VALUES, name)
    end
    found[#found + 1] = name
    found[#found + 1] = of[10]
    found[#found + 1] = of[12]
    found[#found + 1] = value
  end
end
if more then
  local entry = entries[#entries]
  found[1], found[2] = tonumber(string.match(entry[1], '^%d+')), entry[2][2]
end
return found
"""
)
"""The changes of some owners: the last position, its commit, whether there is more, then name, key, deleted and
value of each change; the current value, at the first change of a record. Position -1: trimmed, more than the limit, or
the known position belongs to a lost history.

ARGV: position known, its commit, tenant, user (empty: any), most changes, number of the table of the values, and 1 to
get a part if there are more.
"""

CHANGES: Final = Script(
    _NAMES
    + _LINEAGE
    + """
continue_after_failover(false)
local last, floor = redis.call('HGET', META, 'seq') or 0, redis.call('HGET', META, 'floor') or 0
return {last, floor, redis.call('XRANGE', CHANGES, ARGV[1], '+', 'COUNT', ARGV[2])}
"""
)
"""Both ends of the change sequence, and entries from a position on. ARGV: first id, maximum number."""

CUT_OVER: Final = Script(
    _NAMES
    + _SERVING
    + """
local having = redis.call('ZLEXCOUNT', EMBEDDED, '[' .. ARGV[1] .. '\\0', '(' .. ARGV[1] .. '\\1')
local lacking = redis.call('ZCARD', AGES) - having
if lacking <= tonumber(ARGV[2]) then
  redis.call('HSET', META, 'serving', ARGV[1])
  choose_serving({})
end
return lacking
"""
)
"""Make a model serve if at most `ARGV[2]` records lack vectors of it; returns how many do. ARGV: model, maximum."""

EMBEDDINGS: Final = Script(
    _NAMES
    + """
local found = {redis.call('HGET', MODELS, ARGV[1]) or ''}
for n = 2, #ARGV do
  local row = redis.call('HGET', RECORDS, ARGV[n])
  local key = row and string.match(row, '^%[(%d+),')
  local vectors = key and redis.call('HGET', VECTORS, ARGV[1] .. '\\0' .. key)
  if vectors then
    found[#found + 1] = ARGV[n]
    found[#found + 1] = row
    found[#found + 1] = vectors
  end
end
return found
"""
)
"""The dimension of a model, then name, row and vectors of the records that have vectors of it. ARGV: model, names."""
