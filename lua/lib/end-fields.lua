-- What is told of an end beside its outcome, as JSON from its comma on. detail: { result, error }, or nil; a result that begins with `!` is an error that says why
-- there is none.
function lib.endFields(detail)
  local result, problem = detail and detail.result or '', detail and detail.error or ''
  if string.byte(result) == 33 then result, problem = '', string.sub(result, 2) end
  return (result ~= '' and ',"result":' .. result or '') .. (problem ~= '' and ',"error":' .. problem or '')
end
