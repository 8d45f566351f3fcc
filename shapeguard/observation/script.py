"""The surroundings that a script expects: `__main__`, `sys.argv` and `sys.path` as `python FILE` gives them."""

import builtins
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


@contextmanager
def main_module(path: Path, arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """The namespace of a fresh `__main__` that was started from `path`; everything is put back at the end.

    Pickling, dataclasses and multiprocessing look their classes up in `sys.modules["__main__"]`.
    """
    module = ModuleType("__main__")
    # `python FILE` gives __file__ as it was typed, an absolute path since 3.9.
    vars(module).update(__file__=str(path.absolute()), __builtins__=builtins, __cached__=None)
    before = sys.modules["__main__"], sys.argv, sys.path[:]
    sys.modules["__main__"] = module
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.absolute().parent))
    try:
        yield vars(module)
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:] = before
