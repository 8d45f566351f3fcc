"""`%%shapes off`: one cell without annotations.

The first line is taken out of the cell before IPython looks for magics, so that the rest runs as the cell that it is:
same traceback, same `_`, same top-level await.
"""

from collections.abc import Callable
from typing import Any

DIRECTIVES = ("off",)
"""What may stand behind `%%shapes`."""


def directive_of(line: str) -> str | None:
    """What `%%shapes` asks for on this line; None where there is no `%%shapes`.

    >>> directive_of("%%shapes off")
    'off'
    """
    words = line.split()
    return " ".join(words[1:]) if words and words[0] == "%%shapes" else None


def is_muted(raw_cell: str) -> bool:
    """Whether a cell begins with `%%shapes off`."""
    return directive_of(raw_cell.lstrip().partition("\n")[0]) == "off"


def without_directive(lines: list[str]) -> list[str] | None:
    """The lines of a cell with its valid `%%shapes …` taken out; None for a cell without one."""
    if not lines or directive_of(lines[0]) not in DIRECTIVES:
        return None
    rest = lines[1:]
    return rest if rest and rest[0].startswith("%%") else [f"# {lines[0]}", *rest]


def directive_transformer(shielded: Callable[..., Any]) -> Callable[[list[str]], list[str]]:
    """An input transformer that takes a valid `%%shapes …` out of a cell's first line.

    A comment takes its place, so that line numbers stay; where another cell magic follows, the line goes, since
    IPython knows a cell magic only on the first line.
    """

    def take_directive(lines: list[str]) -> list[str]:
        without: list[str] | None = shielded(without_directive, lines)
        return lines if without is None else without

    # IPython leaves this one out when it asks whether a cell is complete: `%%shapes off` alone is not.
    take_directive.has_side_effects = True  # type: ignore[attr-defined]
    return take_directive
