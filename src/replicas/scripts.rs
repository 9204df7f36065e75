//! What Redis does in one step. Every key of one fleet has the same hash tag, so that in a Cluster they lie in one slot.
//!
//! `KEYS[1]` is the hash of versions: `e` is its epoch, `0` to `3` count the changes of each kind of part.

use std::sync::LazyLock;

use redis::Script;

/// The versions, and these values with what is left of their time in milliseconds.
pub(super) static LOOK_UP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local found = {redis.call('HMGET', KEYS[1], 'e', '0', '1', '2', '3')}
        for i = 2, #KEYS do
            local value = redis.call('GET', KEYS[i])
            found[i] = value and {value, redis.call('PTTL', KEYS[i])}
        end
        return found",
    )
});

/// Keeps values that are not from before a change. `ARGV[1]` is the epoch, `ARGV[2]` the beginning of the names of indexes; then
/// six a key: the counts it depends on (empty: on none of that kind), milliseconds, the value. Gives how many were kept.
pub(super) static FILL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local now = redis.call('HMGET', KEYS[1], 'e', '0', '1', '2', '3')
        if now[1] ~= ARGV[1] then return 0 end
        local kept = 0
        for i = 2, #KEYS do
            local at = 3 + (i - 2) * 6
            local is_current = true
            for part = 0, 3 do
                local count = ARGV[at + part]
                if count ~= '' and count ~= (now[part + 2] or '0') then is_current = false end
            end
            if is_current then
                local left = tonumber(ARGV[at + 4])
                redis.call('SET', KEYS[i], ARGV[at + 5], 'PX', left)
                for part = 0, 3 do
                    local count = ARGV[at + part]
                    if count ~= '' then
                        local index = ARGV[2] .. part .. ':' .. count
                        redis.call('SADD', index, KEYS[i])
                        if redis.call('PTTL', index) < left then redis.call('PEXPIRE', index, left + 1000) end
                    end
                end
                kept = kept + 1
            end
        end
        return kept",
    )
});

/// How many values are deleted at once.
pub(super) const SWEPT_AT_ONCE: u64 = 500;

/// Counts a change and tells of it, whatever memory is left, and deletes the first of what it made old. `KEYS[2]` is the stream; `ARGV` is an
/// epoch should there be none, the parts that changed, who tells, what, and the beginning of the names of indexes.
pub(super) static TELL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"#!lua flags=allow-oom
        redis.call('HSETNX', KEYS[1], 'e', ARGV[1])
        for part in string.gmatch(ARGV[2], '%d') do
            local count = redis.call('HINCRBY', KEYS[1], part, 1)
            local old = redis.call('SPOP', ARGV[5] .. part .. ':' .. (count - 1), 500)
            if #old > 0 then redis.call('UNLINK', unpack(old)) end
        end
        local now = redis.call('HMGET', KEYS[1], 'e', '0', '1', '2', '3')
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*',
            'e', now[1], '0', now[2] or 0, '1', now[3] or 0, '2', now[4] or 0, '3', now[5] or 0,
            'parts', ARGV[2], 'by', ARGV[3], 'what', ARGV[4])
        return now",
    )
});

/// Where things stand: the versions, the id of the last change, and the time in milliseconds. Begins an epoch where there is none.
pub(super) static STAND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"#!lua flags=allow-oom
        redis.call('HSETNX', KEYS[1], 'e', ARGV[1])
        local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
        local time = redis.call('TIME')
        return {redis.call('HMGET', KEYS[1], 'e', '0', '1', '2', '3'), last[1] and last[1][1] or '0-0', time[1] * 1000}",
    )
});

/// Ends a claim where it is still whose it was: `ARGV[1]`.
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end return 0")
});

/// Begins a new epoch where it is still this one. `ARGV` is the old one and the new one.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"#!lua flags=allow-oom
        if redis.call('HGET', KEYS[1], 'e') == ARGV[1] then redis.call('HSET', KEYS[1], 'e', ARGV[2]) end
        return redis.status_reply('OK')",
    )
});

/// Deletes some of the values that an index names; gives how many it named.
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local names = redis.call('SPOP', KEYS[1], 500)
        if #names > 0 then redis.call('UNLINK', unpack(names)) end
        return #names",
    )
});

/// Lets a caller ask, by the generic cell rate algorithm: `ARGV` is microseconds between two requests, how many may come at
/// once, and how many are wanted. Gives microseconds until they are granted; 0: they are.
pub(super) static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local between, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
        local free = math.floor((now + between * burst - arrival) / between)
        arrival = arrival + wanted * between
        if free < wanted then return arrival - now - between * burst end
        redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
        return 0",
    )
});
