/** Makes a script fail at its k-th call of Redis, unless it has written by then: the text that does it, put before the script's own. */

const WRITES =
  'APPEND COPY DEL EXPIRE EXPIREAT GETDEL GETSET HDEL HINCRBY HINCRBYFLOAT HMSET HSET HSETNX INCR INCRBY LINSERT LMOVE LPOP LPUSH LREM LSET LTRIM ' +
  'MSET MSETNX PERSIST PEXPIRE PEXPIREAT PSETEX RENAME RENAMENX RESTORE RPOP RPOPLPUSH RPUSH SADD SET SETEX SETNX SETRANGE SMOVE SPOP SREM UNLINK ' +
  'ZADD ZINCRBY ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE'

/** The error of an injected fault begins so, and goes on with the number and the name of the call. */
export const INJECTED = 'injected fault'

/**
 * Editor for `ScriptDriver.run`: the `k`-th call (from 1) raises instead of being made. A write is the last that can: after one was made, nothing is
 * injected any more and the script runs through.
 */
export const failingAtCall = (k: number) => (text: string) => {
  const shebang = /^#![^\n]*\n/.exec(text)?.[0] ?? ''
  // On one line, so that the line numbers of other errors stay right but for the shebang's.
  const wrapper = `local redis = (function(real) local made, wrote, writes = 0, false, {} for name in string.gmatch('${WRITES}', '%S+') do writes[name] = true end
local function guarded(how) return function(name, ...) made = made + 1 local upper = string.upper(name) if made == ${k} and not wrote then error('${INJECTED} ' .. made .. ' ' .. upper, 0) end if writes[upper] then wrote = true end return how(name, ...) end end
return setmetatable({ call = guarded(real.call), pcall = guarded(real.pcall) }, { __index = real }) end)(redis)
`
  return shebang + wrapper + text.slice(shebang.length)
}
