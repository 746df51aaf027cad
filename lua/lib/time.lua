-- Redis' clock in whole milliseconds, read once a script: everything in it happens at one moment.

local now
do
  local clock = redis.call('TIME')
  now = clock[1] * 1000 + math.floor(clock[2] / 1000)
end
