"""What Redis does in one step. Each touches the keys of one hash tag only."""

from __future__ import annotations

HELD = 86_400_000
"""Milliseconds that a hold, or the mark of a deletion, is remembered: longer than any session."""

HOLD = (
    """
-- KEYS holder, lines, facts, summary, pages; ARGV token, since when, gateway, name, days kept in
-- ms, then of each line its list, when it was said, and itself. Up to when our words were written,
-- or "".
local h = redis.call('hmget', KEYS[1], 'token', 'at', 'gateway', 'deleted')
local mine, stop = tonumber(ARGV[2]), ''
if mine <= tonumber(h[4] or '-1') then
    stop = '0'
elseif h[1] ~= ARGV[1] and tonumber(h[2] or '0') > mine then
    stop = h[2]
else
    if h[1] and h[1] ~= ARGV[1] then
        redis.call('publish', 'voice-kit:gateway:' .. h[3],
            cjson.encode({name = ARGV[4], token = h[1], stop = ARGV[2]}))
    end
    redis.call('hset', KEYS[1], 'token', ARGV[1], 'at', ARGV[2], 'gateway', ARGV[3])
    redis.call('pexpire', KEYS[1], HELD)
end
local keep = tonumber(ARGV[5])
for i = 6, #ARGV, 3 do
    if stop == '' or tonumber(ARGV[i + 1]) < tonumber(stop) then
        local list = ARGV[i] == 'facts' and KEYS[3] or KEYS[2]
        if not redis.call('lpos', list, ARGV[i + 2], 'rank', -1, 'maxlen', 500) then
            redis.call('rpush', list, ARGV[i + 2])
        end
        if keep > 0 then
            for k = 2, 5 do redis.call('pexpire', KEYS[k], keep) end
        end
    end
end
return stop
"""
).replace("HELD", str(HELD))

TAKE = (
    """
-- KEYS holder; ARGV token, gateway, name. Since when it is held, which is after everyone before.
local h = redis.call('hmget', KEYS[1], 'token', 'at', 'gateway', 'deleted')
local t = redis.call('time')
local at = tonumber(t[1]) + tonumber(t[2]) / 1000000
at = math.max(at, tonumber(h[2] or '0') + 0.000002, tonumber(h[4] or '0') + 0.000002)
at = string.format('%.6f', at)
if h[1] and h[1] ~= ARGV[1] then
    redis.call('publish', 'voice-kit:gateway:' .. h[3],
        cjson.encode({name = ARGV[3], token = h[1], stop = at}))
end
redis.call('hset', KEYS[1], 'token', ARGV[1], 'at', at, 'gateway', ARGV[2])
redis.call('pexpire', KEYS[1], HELD)
return at
"""
).replace("HELD", str(HELD))

ASK = """
-- KEYS holder; ARGV name, gateway. How many listen of another that holds it, -1 where none does: it
-- is asked to let go, and may still write what was heard.
local h = redis.call('hmget', KEYS[1], 'token', 'gateway')
if not h[1] or h[2] == ARGV[2] then return -1 end
return redis.call('publish', 'voice-kit:gateway:' .. h[2],
    cjson.encode({name = ARGV[1], token = h[1], stop = 'inf'}))
"""

HELD_NOW = """
-- KEYS holder. Whether anybody holds it.
return redis.call('hexists', KEYS[1], 'token')
"""

RELEASE = """
-- KEYS holder; ARGV token. What was deleted stays marked.
if redis.call('hget', KEYS[1], 'token') == ARGV[1] then
    redis.call('hdel', KEYS[1], 'token', 'gateway')
end
"""

DELETE = (
    """
-- KEYS holder, lines, facts, summary, pages; ARGV name. How many of these there were.
local h = redis.call('hmget', KEYS[1], 'token', 'at', 'gateway')
local t = redis.call('time')
local at = math.max(tonumber(t[1]) + tonumber(t[2]) / 1000000, tonumber(h[2] or '0'))
if h[1] then
    redis.call('publish', 'voice-kit:gateway:' .. h[3],
        cjson.encode({name = ARGV[1], token = h[1], stop = '0'}))
end
redis.call('hdel', KEYS[1], 'token', 'gateway')
redis.call('hset', KEYS[1], 'deleted', string.format('%.6f', at))
redis.call('pexpire', KEYS[1], HELD)
return redis.call('del', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
"""
).replace("HELD", str(HELD))

CHANGE = """
-- KEYS holder, pages; ARGV page, its text before, its text after, since when it is held, days kept
-- in ms. Its text now: another one where somebody was faster; none where it was deleted meanwhile.
local gone = redis.call('hget', KEYS[1], 'deleted')
if gone and tonumber(ARGV[4]) <= tonumber(gone) then return false end
local now = redis.call('hget', KEYS[2], ARGV[1]) or ''
if now ~= ARGV[2] then return now end
if now ~= ARGV[3] then
    redis.call('hset', KEYS[2], ARGV[1], ARGV[3])
    if tonumber(ARGV[5]) > 0 then redis.call('pexpire', KEYS[2], ARGV[5]) end
end
return ARGV[3]
"""

PAGES = """
-- KEYS pages. Each page and its text.
return redis.call('hgetall', KEYS[1])
"""

SWEEP = """
local function sweep(keep)
    if keep <= 0 then return end
    local t = redis.call('time')
    local since = tonumber(t[1]) - keep / 1000
    local old = redis.call('zrangebyscore', KEYS[1], '-inf', since, 'limit', 0, 500)
    for _, id in ipairs(old) do
        redis.call('zrem', KEYS[1], id)
        for k = 2, 4 do redis.call('hdel', KEYS[k], id) end
    end
end
"""

TOUCH = (
    SWEEP
    + """
-- KEYS changed, created, titles, names; ARGV conversation, when, first words, days kept in ms.
redis.call('zadd', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('hsetnx', KEYS[2], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('hsetnx', KEYS[3], ARGV[1], ARGV[3]) end
local keep = tonumber(ARGV[4])
sweep(keep)
if keep > 0 then
    for k = 1, 4 do redis.call('pexpire', KEYS[k], keep) end
end
"""
)

RENAME = """
-- KEYS changed, created, titles, names; ARGV conversation, when, name.
redis.call('zadd', KEYS[1], 'NX', ARGV[2], ARGV[1])
redis.call('hsetnx', KEYS[2], ARGV[1], ARGV[2])
redis.call('hset', KEYS[4], ARGV[1], ARGV[3])
"""

RETITLE = """
-- KEYS changed, created, titles, names; ARGV conversation, first words.
if ARGV[2] == '' then
    redis.call('hdel', KEYS[3], ARGV[1])
elseif redis.call('zscore', KEYS[1], ARGV[1]) then
    redis.call('hset', KEYS[3], ARGV[1], ARGV[2])
end
"""

UNLIST = """
-- KEYS changed, created, titles, names; ARGV conversation. Whether it was listed.
for k = 2, 4 do redis.call('hdel', KEYS[k], ARGV[1]) end
return redis.call('zrem', KEYS[1], ARGV[1])
"""

INFO = """
local function info(id)
    return {id, redis.call('hget', KEYS[4], id) or redis.call('hget', KEYS[3], id) or '',
        redis.call('hget', KEYS[2], id) or '', redis.call('zscore', KEYS[1], id) or ''}
end
"""

ONE = (
    INFO
    + """
-- KEYS changed, created, titles, names; ARGV conversation.
return info(ARGV[1])
"""
)

LIST = (
    SWEEP
    + INFO
    + """
-- KEYS changed, created, titles, names; ARGV most, after, days kept in ms.
sweep(tonumber(ARGV[3]))
local first = 0
if ARGV[2] ~= '' then
    first = redis.call('zrevrank', KEYS[1], ARGV[2])
    if not first then return false end
    first = first + 1
end
local found = {}
for _, id in ipairs(redis.call('zrevrange', KEYS[1], first, first + ARGV[1] - 1)) do
    table.insert(found, info(id))
end
return found
"""
)


def listing(subject: str) -> list[str]:
    """The keys that list a guest's conversations."""
    tag = subject.replace("%", "%25").replace("}", "%7D")
    return [
        f"voice-kit:{{guest:{tag}}}:{kind}" for kind in ("changed", "created", "titles", "names")
    ]
