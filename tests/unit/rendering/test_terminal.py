"""Colour: on a TTY and where it was asked for, never where it was refused."""

import io
import re
from collections.abc import Callable

import pytest

from shapeguard.records import Report
from shapeguard.rendering import coloured, painter, plain, report_text
from shapeguard.rendering.terminal import wants_color


class Stream(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(
    ("color", "tty", "no_color", "term", "expected"),
    [
        ("auto", True, None, "xterm", True),
        ("auto", False, None, "xterm", False),
        ("auto", True, "1", "xterm", False),
        ("auto", True, "0", "xterm", False),
        ("auto", True, "", "xterm", True),
        ("auto", True, None, "dumb", False),
        ("auto", True, None, None, True),
        ("auto", False, "1", "xterm", False),
        ("always", True, None, "xterm", True),
        ("always", False, None, "xterm", True),
        ("always", False, None, "dumb", True),
        ("always", False, "", "xterm", True),
        ("always", True, "1", "xterm", False),
        ("always", False, "1", "xterm", False),
        ("never", True, None, "xterm", False),
        ("never", False, None, "xterm", False),
        ("never", True, "", "xterm", False),
    ],
)
def test_whether_a_stream_gets_colour(  # noqa: PLR0913  the whole table of what decides
    monkeypatch: pytest.MonkeyPatch, color: str, no_color: str | None, term: str | None, *, tty: bool, expected: bool
) -> None:
    for name, value in [("NO_COLOR", no_color), ("TERM", term)]:
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    stream = Stream(tty=tty)
    assert wants_color(stream, color) is expected
    assert painter(stream, color) is (coloured if expected else plain)


@pytest.mark.parametrize("role", ["name", "brief", "note", "error", "warning", "information"])
def test_each_role_has_a_style_around_its_text_and_closes_it(role: str) -> None:
    painted = coloured(role, "text")
    assert painted != "text"
    assert painted.endswith("text\x1b[0m")
    assert coloured(role, "") == ""


def test_an_unknown_role_and_plain_text_stay_as_they_are() -> None:
    assert coloured("nothing", "text") == "text"
    assert plain("error", "text") == "text"


@pytest.mark.parametrize("paint", [plain, coloured])
def test_colour_changes_nothing_but_the_colour(rich_report: Report, paint: Callable[[str, str], str]) -> None:
    assert re.sub(r"\x1b\[\d+(;\d+)*m", "", report_text(rich_report, paint=paint)) == report_text(rich_report)
