-- Writes a lane's states and moves its watermark, if the caller still owns it and nothing moved it.
--
-- KEYS[1]  owner token of the lane
-- KEYS[2]  watermark of the lane: the offset up to which the states contain the log
-- ARGV[1]  the caller's token
-- ARGV[2]  watermark that the caller expects, '' for none
-- ARGV[3]  watermark to set
-- ARGV[4]  prefix of the state keys; its hash tag is that of KEYS
-- ARGV[5]  states: for each a key and a value, both preceded by their length (32 bits, big-endian)
--
-- Returns 1 when written, 0 when token or watermark are others and nothing was changed.

if redis.call('GET', KEYS[1]) ~= ARGV[1] or (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then
  return 0
end
local prefix, packed = ARGV[4], ARGV[5]
local at, key, state = 1, nil, nil
while at <= #packed do
  key, state, at = struct.unpack('>I4c0I4c0', packed, at)
  redis.call('SET', prefix .. key, state)
end
redis.call('SET', KEYS[2], ARGV[3])
return 1
