-- Requests at a fixed rate, each timed from the moment it was meant to be sent.
-- Each thread has one connection and every so-manieth moment of one schedule, and so knows which answer is which.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")

local now_at = ffi.new("moment")
local threads = {}

local function now()
   ffi.C.clock_gettime(1, now_at) -- CLOCK_MONOTONIC
   return tonumber(now_at.s) + tonumber(now_at.ns) / 1e9
end

function setup(thread)
   thread:set("number", #threads)
   thread:set("base", now() + 0.5)
   threads[#threads + 1] = thread
   -- The schedule is that of the last thread to be set up.
   for _, each in ipairs(threads) do each:set("base", thread:get("base")) end
end

function init(args)
   requests, last = {}, number
   for line in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("GET", line, { Host = wrk.headers["Host"], Connection = "close" })
   end
   rate, every = tonumber(args[2]), tonumber(args[3])
   sent, failed, counts = 0, 0, {}
end

function delay()
   due = base + (sent * every + number) / rate
   sent = sent + 1
   return math.max(0, math.ceil((due - now()) * 1000))
end

function request()
   last = (last + every) % #requests
   return requests[last + 1]
end

function response(status)
   if status ~= 200 then
      failed = failed + 1
      return
   end
   local tenths = math.floor((now() - due) * 10000)
   counts[tenths] = (counts[tenths] or 0) + 1
end

function done(summary)
   local errors = summary.errors
   local bad = errors.connect + errors.read + errors.write + errors.timeout
   local all = {}
   for _, thread in ipairs(threads) do
      bad = bad + thread:get("failed")
      for tenths, count in pairs(thread:get("counts")) do all[tenths] = (all[tenths] or 0) + count end
   end
   io.write(string.format("\nFAILED %d\n", bad))
   for tenths, count in pairs(all) do io.write(string.format("TENTHS %d %d\n", tenths, count)) end
end
