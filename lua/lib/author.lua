-- In whose name a script puts into the outbox.

-- Who numbers: the hash of a session, or a producer that lives for this script only (numbers from 1).
local author = { producer = nil, session = nil, numbers = {} }
local outboxGrew = false
