-- What guards did wrong: told in the reply, without effect on any outcome. [guard, error, ...]

local guardErrors = {}

function lib.blame(name, problem)
  if type(problem) == 'table' then problem = problem.err or 'unknown error' end
  guardErrors[#guardErrors + 1], guardErrors[#guardErrors + 2] = name, tostring(problem)
end
