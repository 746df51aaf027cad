-- Batches of which some messages were refused or left out. Included where there are any. Needs: call, envelope.

-- The batch with nothing in the place of the messages that are `out`: no range names them, so their bytes would be kept for nobody, and who looks for one
-- by its id finds that it is not there.
function lib.trimmed(value, out)
  local flags, total = string.byte(value, 2), lib.u16(value, 3)
  local endsAt, expiresAt = 13 + lib.u16(value, 11), lib.expiryTable(value)
  local extraEndsAt = expiresAt + (flags % 2 == 1 and 8 * total or 0)
  local regionsAt = extraEndsAt + (flags >= 2 and 4 * (total + 1) or 0)

  -- The table at `at` and its region, which begins at `base`, without those that are out; and where the region ends.
  local function without(at, base)
    local zero, sum, ends, windows = lib.u32(value, at), 0, { struct.pack('<I4', 0) }, {}
    local last = 0
    for i = 0, total - 1 do
      local first = last
      last = lib.u32(value, at + 4 * (i + 1)) - zero
      if not out[i] then
        windows[#windows + 1] = string.sub(value, base + first, base + last - 1)
        sum = sum + last - first
      end
      ends[#ends + 1] = struct.pack('<I4', sum)
    end
    return table.concat(ends), table.concat(windows), base + last
  end

  local extraEnds, extras, bodiesAt = '', '', regionsAt
  if flags >= 2 then extraEnds, extras, bodiesAt = without(extraEndsAt, regionsAt) end
  local ends, bodies = without(endsAt, bodiesAt)
  return table.concat({ string.sub(value, 1, endsAt - 1), ends, string.sub(value, expiresAt, extraEndsAt - 1), extraEnds, extras, bodies })
end

-- Of what the plan is to write, or an earlier one has written.
function lib.trimBatches(plan, batches)
  for _, batch in ipairs(batches) do
    if batch.out and batch.total > 1 and batch.ready then
      local key, value = P .. 'b:' .. batch.id, lib.trimmed(batch.value, batch.out)
      if batch.written then call('SET', key, value) end
      for i = 1, #plan.values, 2 do
        if plan.values[i] == key then plan.values[i + 1] = value end
      end
    end
  end
end
