-- `advance` for a request whose settles publish: the same script, but Redis refuses it whole when memory is full. What a handler published and
-- its settle are all or nothing; refused, the message stays leased and the client tries again.
--
-- KEYS, ARGV, returns, invariants  as scripts/advance.lua
-- Cost  more than `advance`: on the session's own topic as a publish; on another, per publish 2 commands, and 2 per destination.

--@include scripts/advance
