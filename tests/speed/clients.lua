-- A thousand clients behind one proxy, each with a count of its own at the rate limit.
local client = 0

function request()
  client = (client + 1) % 1000
  wrk.headers["X-Forwarded-For"] = "10.0." .. math.floor(client / 250) .. "." .. client % 250
  return wrk.format()
end
