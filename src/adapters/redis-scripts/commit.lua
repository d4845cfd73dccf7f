-- Writes a lane's states and moves its watermark, if the caller still owns it and nothing moved it.
--
-- KEYS[1]  the lane: a hash of owner token (own), watermark (wm) and states (s:<key>)
-- ARGV[1]  the caller's token
-- ARGV[2]  watermark that the caller expects, '' for none
-- ARGV[3]  watermark to set: the offset up to which the states contain the log
-- ARGV[4]  states: for each a key and a value, both preceded by their length (32 bits, big-endian)
--
-- Returns 1 when written, -1 when the lane is gone, 0 when token or watermark are others; then nothing was changed.

local held = redis.call('HMGET', KEYS[1], 'own', 'wm')
if not held[1] then
  return -1
end
if held[1] ~= ARGV[1] or (held[2] or '') ~= ARGV[2] then
  return 0
end
-- A hundred at once: a call takes as long as it takes to set a small state.
local packed = ARGV[4]
local at, count, fields, key = 1, 0, {}, nil
while at <= #packed do
  key, fields[count + 2], at = struct.unpack('>I4c0I4c0', packed, at)
  fields[count + 1] = 's:' .. key
  count = count + 2
  if count == 200 or at > #packed then
    redis.call('HSET', KEYS[1], unpack(fields, 1, count))
    count = 0
  end
end
redis.call('HSET', KEYS[1], 'wm', ARGV[3])
return 1
