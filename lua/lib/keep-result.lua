-- Keeps how a group ended a message, for whoever asks within the time that its publisher named. Needs: call, time, report-body.

local LONGEST_MS = 1e13 -- no time that PEXPIRE would refuse

-- forMs: as the property has it.
function lib.keepResult(forMs, id, group, outcome, detail)
  forMs = tonumber(string.match(forMs, '^%d+$'))
  if not forMs or forMs < 1 or forMs > LONGEST_MS then return end
  local key = P .. 'result:' .. id
  call('HSET', key, group and lib.groupName(group) or '', lib.timedReport(now, id, group, outcome, detail))
  call('PEXPIRE', key, string.format('%.0f', forMs))
end
