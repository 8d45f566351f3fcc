"""How long does it take to load the extension, and to import shapeguard alone?"""

import json
import subprocess
import sys

from benchmarks.pairing import Figure, tell

LIMIT = 0.15
REPEATS = 15

LOAD = """
import json, time
import torch
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("1")
wall, cpu = time.perf_counter(), time.process_time()
shell.run_line_magic("load_ext", "shapeguard")
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""

IMPORT = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
import shapeguard
times = [time.perf_counter() - wall, time.process_time() - cpu]
assert "torch" not in sys.modules and "IPython" not in sys.modules
print(json.dumps(times))
"""


def seconds(program: str) -> tuple[float, float]:
    """Wall and CPU seconds that `program`, in a fresh process, says that it took."""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603  our own
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu


def figures(repeats: int = REPEATS) -> list[Figure]:
    loads, imports = [], []
    seconds(LOAD)  # the first one may have to compile and to read from a cold disk
    for _ in range(repeats):
        loads.append(seconds(LOAD))
        imports.append(seconds(IMPORT))
    return [
        Figure("%load_ext shapeguard, torch and IPython are there", tuple(wall for wall, _ in loads), "s", LIMIT),
        Figure("the same, CPU time", tuple(cpu for _, cpu in loads), "s", LIMIT),
        Figure("import shapeguard, without torch", tuple(1e3 * wall for wall, _ in imports), "ms"),
    ]


def main() -> int:
    return tell(__doc__ or "", figures())


if __name__ == "__main__":
    sys.exit(main())
