"""A fault in shapeguard never reaches the user's cell: it is told of in one line, once."""

import sys
import traceback
from collections.abc import Callable
from typing import Any


class Faults:
    """Runs shapeguard's own steps; what goes wrong in them is kept here and told of after the cell."""

    def __init__(self) -> None:
        self.count = 0
        self.last: str | None = None
        self._told = False

    def shielded(self, step: Callable[..., Any], *args: Any) -> Any:
        """The value of `step(*args)`, or None where it raised; KeyboardInterrupt passes."""
        try:
            return step(*args)
        # Whatever shapeguard did wrong, the user's cell goes on; `tell` says so.
        except Exception as error:  # noqa: BLE001
            self.keep(error)
            return None

    def keep(self, error: Exception) -> None:
        """Remember a fault as text, since its traceback would keep the user's values alive."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
        self.count += 1
        self.last = f"{type(error).__name__}{place}: {error}"

    def tell(self) -> None:
        """Say so, the first time that there is something to say."""
        if self.last is not None and not self._told:
            self._told = True
            first_line = self.last.splitlines()[0][:300]
            sys.stderr.write(
                f"shapeguard: internal fault, annotations may be missing; your code ran as always ({first_line})\n"
            )
