-- wrk's side of benchmarks/load.py: what to post comes from the environment, what happened goes out as one line of JSON.
wrk.method = os.getenv("BENCH_METHOD")
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"

for name, value in string.gmatch(os.getenv("BENCH_HEADERS") or "", "([^\n:]+): ([^\n]*)") do
  wrk.headers[name] = value
end

local listed = os.getenv("BENCH_KEYS") or ""
if listed ~= "" then
  local keys = {}
  for key in io.lines(listed) do
    keys[#keys + 1] = "Bearer " .. key
  end
  function request()
    wrk.headers["Authorization"] = keys[math.random(#keys)]
    return wrk.format()
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '\n{"requests": %d, "failures": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, failures, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
