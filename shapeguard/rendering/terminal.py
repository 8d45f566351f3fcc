"""Colour for terminals: on a TTY and without NO_COLOR, unless it was asked for or refused."""

import os
from typing import TextIO

from shapeguard.rendering.text import Paint, plain

_STYLES = {
    "name": {"bold": True},
    "brief": {"fg": "cyan"},
    "note": {"dim": True},
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "information": {"fg": "blue"},
}


def painter(stream: TextIO, color: str = "auto") -> Paint:
    """How text is painted on `stream`; `color` is auto, always or never.

    NO_COLOR outweighs every choice.
    """
    return coloured if wants_color(stream, color) else plain


def wants_color(stream: TextIO, color: str = "auto") -> bool:
    """Whether colour belongs on `stream`."""
    if color == "never" or os.environ.get("NO_COLOR"):
        return False
    return color == "always" or (stream.isatty() and os.environ.get("TERM") != "dumb")


def coloured(role: str, text: str) -> str:
    """`text` in the colours of its role."""
    from click import style  # noqa: PLC0415  a notebook never needs it, and importing it takes 20 ms

    style_of = _STYLES.get(role)
    return style(text, **style_of) if style_of and text else text  # type: ignore[arg-type]  # one table for all styles
