"""Runs of small programs under a Recorder, with NumPy's arrays as values so that no torch is needed."""

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pytest

from shapeguard.observation import Recorder, run_statements


class Seen(NamedTuple):
    target: str
    line: int
    role: str
    shape: tuple[Any, ...] | None


class Run(NamedTuple):
    seen: list[Seen]
    error: BaseException | None

    @property
    def brief(self) -> list[str]:
        """Each sighting in one word: `x@3[2,5]`, a result as `=x@3[2,5]`."""
        return [
            f"{'=' if role == 'result' else ''}{target}@{line}"
            + ("" if shape is None else f"[{','.join(map(str, shape))}]")
            for target, line, role, shape in self.seen
        ]


class Failing:
    """A context manager whose entry fails."""

    def __enter__(self) -> None:
        raise ValueError

    def __exit__(self, *_: object) -> None:
        """It has nothing to close."""


def boom(*_: object) -> Any:
    raise ValueError


def surroundings() -> dict[str, Any]:
    """Names that the programs use: `z(2, 3)` makes an array, `boom()` raises, `old` is there from before."""
    return {
        "np": np,
        "z": lambda *shape: np.zeros(shape),
        "boom": boom,
        "suppress": suppress,
        "nullcontext": nullcontext,
        "Failing": Failing,
        "true": True,
        "false": False,
        "old": np.zeros(9),
        "keep": np.zeros(9),
    }


def run(source: str, namespace: dict[str, Any] | None = None) -> Run:
    """What the statements of `source` were seen to bind, and the error that ended them."""
    space = surroundings() if namespace is None else namespace
    recorder = Recorder(space, walrus=":=" in source)
    outcome = run_statements(ast.parse(source), "<program>", space, recorder)
    seen = [Seen(ast.unparse(node), node.lineno, role, spec.shape) for node, role, spec, _ in recorder.sightings]
    return Run(seen, outcome.error)


@pytest.fixture
def untraced() -> Iterator[None]:
    """No tracer, as in a user's session: coverage.py's own would switch the watch of Python 3.11 off."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def foreign_tracer(_frame: FrameType, _event: str, _argument: object) -> None:
    """What a debugger or coverage.py would have installed."""


@pytest.fixture(params=["untraced", "traced"])
def either_way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Once with the watch over lines and once with a foreign tracer in its place (which 3.11 leaves alone)."""
    tracer = sys.gettrace()
    sys.settrace(foreign_tracer if request.param == "traced" else None)
    yield request.param
    sys.settrace(tracer)


@pytest.fixture
def execute() -> Callable[..., Run]:
    return run


@pytest.fixture
def new_namespace() -> Callable[[], dict[str, Any]]:
    return surroundings
