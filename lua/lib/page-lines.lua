-- Pages of what stands in the lines of ordering keys, line by line. The set of keys is walked with SSCAN; keys that it gave and whose turn has not
-- come are part of the place. Needs: all of page-list.

local KEYS_AT_A_TIME, MOST_SCANS = 10, 200

-- `store`: a group, or what no group has yet. Answers where to go on, if there is more: { scan cursor (`end`: all keys are known), key or '', index,
-- range, message, further keys ... }.
function lib.pageLines(page, store, place)
  local scan, keys, key, inLine = place and place[1] or '0', {}, nil, nil
  if place and place[2] ~= '' then key, inLine = place[2], { place[3], place[4], place[5] } end
  for i = 6, place and #place or 0 do keys[#keys + 1] = place[i] end
  local scans = MOST_SCANS
  while true do
    if key then
      inLine = lib.pageList(page, store.line .. key, inLine)
      if page.full then return { scan, key, inLine[1], inLine[2], inLine[3], unpack(keys) } end
      key = nil
    elseif #keys > 0 then
      key = table.remove(keys, 1)
    elseif scan == 'end' then
      return nil
    elseif scans == 0 then
      page.full = true
      return { scan, '', 0, '', 0 }
    else
      scan, keys = unpack(call('SSCAN', store.G .. 'lines', scan, 'COUNT', KEYS_AT_A_TIME))
      table.sort(keys)
      if scan == '0' then scan = 'end' end
      scans = scans - 1
    end
  end
end
