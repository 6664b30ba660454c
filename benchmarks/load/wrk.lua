-- The requests of a file, one after the other: method, path, known ETag and body of each, with tabs between them.
local requests, last = {}, 0

function init(args)
   for line in io.lines(args[1]) do
      local method, path, etag, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
      local headers = { Host = wrk.headers["Host"] }
      if args[2] == "fresh" then headers["Connection"] = "close" end
      if etag ~= "" then headers["If-None-Match"] = etag end
      if body ~= "" then headers["Content-Type"] = "application/json" else body = nil end
      requests[#requests + 1] = wrk.format(method, path, headers, body)
   end
end

function request()
   last = last % #requests + 1
   return requests[last]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      "\nRESULT %d %d %d %d %.0f %.0f\n", summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(95)))
end
