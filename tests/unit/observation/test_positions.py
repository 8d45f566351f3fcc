"""Spans count lines as Python does and columns in code points of what the user wrote."""

import ast

import pytest

from shapeguard.observation.positions import SourceText, place
from shapeguard.records import Span


def node_of(source: str) -> ast.expr:
    """The target or the expression of the last statement."""
    statement = ast.parse(source).body[-1]
    assert isinstance(statement, (ast.Assign, ast.Expr))
    return statement.targets[0] if isinstance(statement, ast.Assign) else statement.value


@pytest.mark.parametrize(
    ("source", "written", "columns"),
    [
        ("x = 1", "x", (0, 1)),
        ("'é'; x = 1", "x", (5, 6)),
        ("'形状'; x = 1", "x", (6, 7)),
        ("'🧊'; x = 1", "x", (5, 6)),
        ("'e\u0301'; x = 1", "x", (6, 7)),
        ("größe = 1", "größe", (0, 5)),
        ("'é'; ä.ö['ü'] = 1", "ä.ö['ü']", (5, 13)),
        ("\f\nx = 1", "x", (0, 1)),
        ("y = '''\f'''\nx = 1", "x", (0, 1)),
        ("y = '\u2028'\nx = 1", "x", (0, 1)),
        ("y = '\x85'; x = 1", "x", (9, 10)),
        ("y = 1 # \x1c \x0b\nlonger = 1", "longer", (0, 6)),
        ("y = 1\r\nx = 1", "x", (0, 1)),
        ("y = 1\rx = 1", "x", (0, 1)),
    ],
)
def test_a_span_stands_where_the_text_does(source: str, written: str, columns: tuple[int, int]) -> None:
    text = SourceText(source)
    span = text.span(node_of(source))
    assert text.written(span) == written
    assert (span.column, span.end_column) == columns


@pytest.mark.parametrize(
    ("source", "written", "span"),
    [
        ("f(1,\n  2)", "f(1, 2)", (1, 0, 2, 4)),
        ("f(\n    é,\n)", "f( é, )", (1, 0, 3, 1)),
        ("y = 0\nf(1,\r\n  2)", "f(1, 2)", (2, 0, 3, 4)),
    ],
)
def test_an_expression_over_lines_is_written_on_one(source: str, written: str, span: tuple[int, int, int, int]) -> None:
    text = SourceText(source)
    assert text.span(node_of(source)) == Span(0, *span)
    assert text.written(text.span(node_of(source))) == written


def test_a_span_names_the_source_that_it_is_in() -> None:
    assert SourceText("x = 1", 2).span(node_of("x = 1")).source == 2


def test_a_node_without_a_place_spans_nothing() -> None:
    text = SourceText("x = 1")
    assert place(ast.Name("x")) == (0, 0, 0, 0)
    assert text.span(ast.Name("x")) == Span(0, 0, 0, 0, 0)
    assert text.written(Span(0, 0, 0, 0, 0)) == ""


@pytest.mark.parametrize("line", [2, 99])
def test_a_place_beyond_the_text_has_nothing_written_there(line: int) -> None:
    assert SourceText("x = 1").written(Span(0, line, 0, line, 4)) == ""


def test_an_empty_text_has_one_empty_line() -> None:
    assert SourceText("").lines == [""]
