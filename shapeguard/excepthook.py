"""Explanations below the tracebacks of plain scripts."""

import sys
from types import TracebackType


def install_excepthook() -> None:
    """Write an explanation below the traceback of an exception that ends a program; installing twice changes nothing.

    The traceback itself is written first, by whatever hook was there before.
    """
    previous = sys.excepthook
    if getattr(previous, "__module__", None) == __name__:
        return

    def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        previous(kind, error, traceback)
        text = _explanation(error)
        if text:
            sys.stderr.write(f"{text}\n")

    sys.excepthook = excepthook


def _explanation(error: BaseException) -> str:
    # Imported when a program ends in an exception, so that it costs nothing before.
    from shapeguard.rendering import finding_text, painter  # noqa: PLC0415
    from shapeguard.session import explain  # noqa: PLC0415
    from shapeguard.settings import settings  # noqa: PLC0415

    finding = explain(error)
    return "" if finding is None else finding_text(finding, painter(sys.stderr, settings.color), numbered=True)
