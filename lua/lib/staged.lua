-- What handlers publish with their settle, as it arrives. Needs: time, envelope, batches, guards.

-- n publishes from position `at`: list of { topic, batch, calls, keys }, the position after them; nil if one is no batch.
function lib.readStaged(at, n)
  local staged = {}
  for i = 1, n do
    local own = ARGV[at + 2]
    local batch = lib.readBatch(ARGV[at + 3], ARGV[at + 1], nil, own)
    if not batch then return nil, at end
    local publish = { topic = ARGV[at], batch = batch, keys = ARGV[at + 4], calls = lib.readPublishCalls(ARGV[at + 5]) }
    at = at + 6
    staged[i] = publish
  end
  return staged, at
end
