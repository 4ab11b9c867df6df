"""Load by wrk: a list of whole requests, sent in turn over many connections."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Server, pinned

SCRIPT = """
local requests = {{}}
for path_and_headers in io.open("{file}", "rb"):read("*a"):gmatch("(.-)%z") do
  requests[#requests + 1] = path_and_headers
end
local turn = 0
{vary}
request = function()
  turn = turn + 1
  return {request}
end
"""
# A header that no two requests share, as a proxy adds one for each visitor.
VARY = "local unlike = math.random(1000000, 9999999) * 1000000"
VARIED = '(requests[turn % #requests + 1]:gsub("\\r\\n\\r\\n$", "\\r\\nX-Request-Id: " .. (unlike + turn) .. "\\r\\n\\r\\n"))'
SAME = "requests[turn % #requests + 1]"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What one round gave. Latencies in milliseconds."""

    requests: int
    per_second: float
    per_cpu_second: float
    p50: float
    p99: float
    errors: int


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]

    def encode(self) -> bytes:
        lines = [f"GET {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()


def run_wrk(
    server: Server,
    requests: Sequence[Request],
    directory: Path,
    *,
    seconds: float = 2,
    connections: int = 64,
    cores: str = "1",
    varied: bool = False,
) -> Load:
    """Errors are answers of 400 and more, and connections that broke or timed out."""
    file = directory / "requests"
    file.write_bytes(b"".join(request.encode() + b"\0" for request in requests))
    script = directory / "load.lua"
    script.write_text(SCRIPT.format(file=file, vary=VARY if varied else "", request=VARIED if varied else SAME))
    before = server.cpu_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s", "-s", str(script)]
    done = subprocess.run(
        pinned(cores, [*command, f"http://127.0.0.1:{server.port}/"]),
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    return _parse(done.stdout, server.cpu_seconds() - before)


def _parse(output: str, cpu_seconds: float) -> Load:
    total = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert total, output
    assert rate, output
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = sum(map(int, sockets.groups())) if sockets else 0
    return Load(
        requests=int(total[1]),
        per_second=float(rate[1]),
        per_cpu_second=int(total[1]) / max(cpu_seconds, 0.01),
        p50=_percentile(output, 50),
        p99=_percentile(output, 99),
        errors=errors + (int(refused[1]) if refused else 0),
    )


def _percentile(output: str, which: int) -> float:
    found = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s|m)\s*$", output, re.MULTILINE)
    assert found, output
    return float(found[1]) * UNITS[found[2]]
