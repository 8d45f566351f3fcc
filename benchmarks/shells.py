"""Real IPython shells to run cells in, with and without the extension, in a terminal's manner or a notebook's."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import count
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from shapeguard.settings import Settings, settings

_numbers = count(1_000_000)
ROWS = Settings().rows
SETUP = "import torch; a = torch.ones(3, 4)"


class Front(DisplayPublisher):
    """Takes mime bundles as a notebook would, and drops them."""

    bundles = 0

    def publish(self, data: dict[str, Any], *_args: Any, **_kwargs: Any) -> None:
        """Take one mime bundle."""
        self.bundles += bool(data)


class SerialisingFront(Front):
    """And turns each into JSON, as a kernel does before it sends it."""

    def publish(self, data: dict[str, Any], *_args: Any, **_kwargs: Any) -> None:
        """Take one mime bundle."""
        super().publish(data)
        json.dumps(data)


class Void(io.TextIOBase):
    """A terminal that nobody looks at: takes text and keeps none."""

    def write(self, text: str, /) -> int:
        """Take text."""
        return len(text)


@contextmanager
def swallowed() -> Iterator[None]:
    """Standard output goes nowhere, at the cost of a method call."""
    with redirect_stdout(Void()):
        yield


def new_shell(
    *extensions: str, front: type[DisplayPublisher] | None = None, singleton: bool = False
) -> InteractiveShell:
    """A shell with a namespace of its own and without a history; a terminal's, unless it has a `front`.

    `singleton` makes it the one that `get_ipython()` answers with, for extensions that ask for it.
    """
    config = Config()
    config.HistoryManager.enabled = False
    shell = (InteractiveShell.instance if singleton else InteractiveShell)(config=config, user_ns={})
    if front is not None:
        shell.display_pub = front(parent=shell)
    for extension in extensions:
        shell.run_line_magic("load_ext", extension)
    with swallowed():
        shell.run_cell(SETUP).raise_error()
    return shell


def runner(shell: InteractiveShell, cell: str, rows: int = ROWS) -> Callable[[], None]:
    """A run of `cell`, each time as a text never seen before, so that nobody profits from having seen it.

    `rows` is how many rows the extension shows; the record holds every assignment in any case.
    """

    def run() -> None:
        settings.rows = rows
        assert shell.run_cell(f"{cell}\n# {next(_numbers)}").success

    return run


def assignments(number: int, value: str = "a + {}") -> str:
    """A cell of `number` assignments, of a small tensor each unless another `value` is given."""
    return "\n".join(f"x{index} = {value.format(index)}" for index in range(number))
