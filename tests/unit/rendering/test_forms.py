"""One rich report as text, HTML and JSON together."""

import json
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from wcwidth import wcswidth

from shapeguard.records import MIME_TYPE, Report, Source
from shapeguard.rendering import Selection, block, bundle, page, report_text, rows_of, rows_text
from shapeguard.rendering.text import display_width


def test_text_html_and_json_of_one_report_are_the_golden_ones(
    rich_report: Report, compare_with_golden: Callable[[str, str], None]
) -> None:
    forms = bundle(rich_report)
    assert list(forms) == [MIME_TYPE, "text/html", "text/plain"]
    pretty = json.dumps(forms[MIME_TYPE], indent=1, ensure_ascii=False)
    compare_with_golden("rendering/rich.txt", forms["text/plain"] + "\n")
    compare_with_golden(
        "rendering/rich.html", forms["text/html"].replace("<tr>", "\n<tr>").replace("<p>", "\n<p>") + "\n"
    )
    compare_with_golden("rendering/rich.json", pretty + "\n")


def test_text_with_line_numbers_and_the_page_of_a_script_are_the_golden_ones(
    rich_report: Report, compare_with_golden: Callable[[str, str], None]
) -> None:
    source = "".join(f"line_{number} = '<&>'\n" for number in range(1, 15))
    compare_with_golden("rendering/rich_numbered.txt", report_text(rich_report, numbered=True) + "\n")
    compare_with_golden("rendering/rich_page.html", page("<rich>.py", source, rich_report).replace("><", ">\n<") + "\n")


def test_the_bundle_holds_the_forms_that_the_functions_give(rich_report: Report) -> None:
    selection = Selection(2, ("tensor",), ("X*",))
    assert bundle(rich_report, selection) == {
        MIME_TYPE: rich_report.as_json(),
        "text/html": block(rich_report, selection),
        "text/plain": report_text(rich_report, selection),
    }


def test_a_report_with_nothing_to_say_has_no_form_at_all() -> None:
    empty = Report((Source("<source>", "script"),))
    assert (bundle(empty), block(empty), report_text(empty)) == ({}, "", "")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.attributes: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


@pytest.mark.parametrize(
    "draw", [block, lambda report: page("<i>title</i>", "x = '<u>'", report)], ids=["block", "page"]
)
def test_html_runs_no_script_and_escapes_everything_that_the_user_named(
    rich_report: Report, draw: Callable[[Report], str]
) -> None:
    html = parsed(draw(rich_report))
    assert not {"script", "b", "i", "u", "img", "a", "iframe", "link"} & set(html.tags)
    assert not [name for name in html.attributes if name.startswith("on") or name in ("src", "href", "style")]


def test_what_is_escaped_reads_as_it_was_written(rich_report: Report) -> None:
    text = parsed(block(rich_report)).text
    assert "d['<script>alert(\"x\")</script> & co']" in text
    assert "X @ W.T: dim 1 of X is <64> & dim 0 of W.T is 16" in text


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("X", 1),
        ("形", 2),
        ("形状", 4),
        ("e\u0301", 1),
        ("🧊", 2),
        ("ｶ", 1),
        ("\uff21", 2),
        ("a\u200bb", 2),
        ("a\x07é", 3),
    ],
)
def test_the_width_of_a_text_is_what_a_terminal_gives_it(text: str, width: int) -> None:
    assert display_width(text) == width


def test_columns_stand_below_each_other_whatever_the_names_are_written_in(rich_report: Report) -> None:
    lines = rows_text(rows_of(rich_report.observations)).splitlines()
    briefs = ["f32[", "bf16[", "f64[", "c64[", "Uninit", "u8[", "i64[", "dict of", "Linear"]
    starts = {wcswidth(line[: min(line.find(b, 5) for b in briefs if b in line[5:])]) for line in lines}
    assert len(starts) == 1


def test_no_line_ends_in_blanks(rich_report: Report) -> None:
    assert all(line == line.rstrip() for line in report_text(rich_report).splitlines())
