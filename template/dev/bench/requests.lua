-- Send the requests of a file in turn, each connection after a pause if there is one.
local requests, pause, count = {}, 0, 0

function init(arguments)
  requests, pause = dofile(arguments[1]), tonumber(arguments[2])
end

function request()
  count = count + 1
  return requests[(count - 1) % #requests + 1]
end

function delay()
  return pause
end
