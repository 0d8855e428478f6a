-- Send the requests of a file in turn. With a pause, each connection waits before each request,
-- by twice the pause at most, at random, so that they do not come in groups.
local requests, count = {}, 0

function init(arguments)
  requests = dofile(arguments[1])
  local pause = tonumber(arguments[2])
  if pause > 0 then
    delay = function() return math.random(0, 2 * pause) end
  end
end

function request()
  count = count + 1
  return requests[(count - 1) % #requests + 1]
end
