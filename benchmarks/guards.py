"""What a guard costs per call, beside every peer that is installed, interleaved in one process; least processor time.

`python benchmarks/guards.py`; peers are `pip install dltype tensor-shape-guard`, each optional.
"""

# ruff: noqa: F722, F821  jaxtyping's dim strings are no forward references

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

import torch
from beartype import beartype
from jaxtyping import Float, jaxtyped
from torch import Tensor

from shapeguard import guard

ROUNDS = 40
CALLS = 400

LETTERS = "abcdefghijkl"
FOLDER = Path(mkdtemp(prefix="guards-"))


def function(count: int, hint: Callable[[str], str] = lambda dims: f'Float[Tensor, "{dims}"]', **world: Any) -> Any:
    """A function of `count` tensors that returns the first; their dims are "n a", "n b" and so on."""
    names = LETTERS[:count]
    parameters = ", ".join(f"x{name}: {hint(f'n {name}')}" for name in names)
    source = f"def forward({parameters}) -> {hint('n a')}:\n    return xa\n"
    # In a file of its own, since peers read the source of what they check.
    name = f"forward_{len(list(FOLDER.iterdir()))}"
    header = "from typing import Annotated\nfrom jaxtyping import Float\nfrom torch import Tensor\n"
    extra = "".join(f"from {one.__module__} import {word}\n" for word, one in world.items())
    (FOLDER / f"{name}.py").write_text(header + extra + source)
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    module = import_module(name)
    return module.forward


def by_hand(count: int, *, dtypes: bool) -> Any:
    """What a careful author writes: each argument's shape, in terms of those before it."""
    names = LETTERS[:count]
    lines = ["    n, a = xa.shape"]
    for name, size in zip(names, range(1, count + 1), strict=True):
        check = f"x{name}.shape != (n, {size})" if name != "a" else "a != 1"
        check += f" or not x{name}.dtype.is_floating_point" if dtypes else ""
        lines.append(f"    if {check}: raise ValueError")
    source = f"def forward({', '.join(f'x{name}' for name in names)}):\n" + "\n".join(lines) + "\n    return xa\n"
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102
    return namespace["forward"]


def subjects(count: int) -> Iterator[tuple[str, Any]]:
    yield "bare", function(count)
    yield "by hand: shapes", by_hand(count, dtypes=False)
    yield "by hand: shapes and dtypes", by_hand(count, dtypes=True)
    yield "shapeguard", guard(function(count))
    yield "shapeguard, dims with *", guard(function(count, lambda dims: f'Float[Tensor, "*{dims}"]'))
    yield "jaxtyping + beartype", jaxtyped(typechecker=beartype)(function(count))
    yield from peers(count)


def peers(count: int) -> Iterator[tuple[str, Any]]:
    try:
        import dltype  # noqa: PLC0415

        peer = function(count, lambda dims: f'Annotated[Tensor, FloatTensor["{dims}"]]', FloatTensor=dltype.FloatTensor)
        yield "dltype", dltype.dltyped()(peer)
    except ImportError:
        pass
    try:
        from tensorguard.pytorch.decorator import validate  # type: ignore[import-not-found]  # noqa: PLC0415

        shapes = {f"x{name}": f"n {name}" for name in LETTERS[:count]}
        yield "tensor-shape-guard, arguments only", validate(**shapes)(function(count))
    except ImportError:
        pass


def measured(
    named: list[tuple[str, Callable[[], object]]], calls: int = CALLS, rounds: int = ROUNDS
) -> dict[str, float]:
    """Least microseconds a call, each round running all of them in turn."""
    best = dict.fromkeys((name for name, _ in named), float("inf"))
    for _ in range(rounds):
        for name, run in named:
            start = time.process_time()
            for _ in range(calls):
                run()
            best[name] = min(best[name], (time.process_time() - start) / calls * 1e6)
    return best


def per_call() -> None:
    rows: dict[str, list[float]] = {}
    counts = (1, 2, 3, 12)
    for count in counts:
        tensors = [torch.zeros(4, size + 1) for size in range(count)]
        named = [(name, lambda f=one, t=tensors: f(*t)) for name, one in subjects(count)]
        for name, least in measured(named).items():
            rows.setdefault(name, []).append(least)
    print("| µs a call | 1 argument | 2 | 3 | 12 |\n| --- | --- | --- | --- | --- |")
    for name, figures in rows.items():
        print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")
    ours = rows["shapeguard"]
    for other in ("jaxtyping + beartype", "by hand: shapes and dtypes", "by hand: shapes"):
        ratios = [
            theirs / mine if "jax" in other else mine / theirs for theirs, mine in zip(rows[other], ours, strict=True)
        ]
        print(
            f"{'cheaper than' if 'jax' in other else 'dearer than'} {other}: {', '.join(f'{one:.2f}' for one in ratios)}"
        )


def dataclasses_and_shapes() -> None:
    @dataclass
    class Bare:
        x: Float[Tensor, "n d"]
        y: Float[Tensor, "d"]

    @guard
    @dataclass
    class Guarded:
        x: Float[Tensor, "n d"]
        y: Float[Tensor, "d"]

    @jaxtyped(typechecker=beartype)
    @dataclass
    class Jaxtyped:
        x: Float[Tensor, "n d"]
        y: Float[Tensor, "d"]

    x, y = torch.zeros(2, 3), torch.zeros(3)
    kinds = {"bare dataclass": Bare, "guarded": Guarded, "jaxtyped": Jaxtyped}
    for name, least in measured([(name, lambda kind=kind: kind(x, y)) for name, kind in kinds.items()]).items():
        print(f"{name}: {least:.2f} µs")

    shapes = [torch.zeros(size // 40 + 1, size % 40 + 1) for size in range(1000)]
    for dims in ("n d", "*s d"):
        target = function(1, lambda _, dims=dims: f'Float[Tensor, "{dims}"]')
        ratios = []
        for _ in range(15):
            # New each time: nothing is remembered of the shapes to come.
            subjects = [guard(target), jaxtyped(typechecker=beartype)(target)]
            least = []
            for one in subjects:
                one(torch.zeros(50, 50))
                start = time.process_time()
                for tensor in shapes:
                    one(tensor)
                least.append(time.process_time() - start)
            ratios.append(least[0] / least[1])
        print(f'1,000 new shapes in a row, "{dims}": {median(ratios):.2f} × jaxtyped')


def decorating() -> None:
    for count in (1, 2, 12):
        target = function(count)
        print(
            f"decorating {count} arguments: {measured([('guard', lambda t=target: guard(t))], calls=5)['guard'] / 1000:.2f} ms"
        )
    folder = FOLDER
    header = "from jaxtyping import Float\nfrom torch import Tensor\n"
    body = "".join(
        f'def f{i}(x: Float[Tensor, "b d{i}"], y: Float[Tensor, "d{i}"]) -> Float[Tensor, "b"]:\n    return x @ y\n'
        for i in range(500)
    )
    (folder / "five_hundred.py").write_text(header + body)
    program = (
        "import sys, time, torch, jaxtyping, shapeguard; shapeguard.guard\n"
        f"sys.path.insert(0, {str(folder)!r})\nstart = time.process_time()\n"
        "with shapeguard.install_import_hook('five_hundred'): import five_hundred\n"
        "print(time.process_time() - start)\n"
    )
    times = [float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(5)]  # noqa: S603
    print(f"importing a guarded module of 500 functions, in a fresh process: {min(times):.2f} s")


if __name__ == "__main__":
    per_call()
    dataclasses_and_shapes()
    decorating()
