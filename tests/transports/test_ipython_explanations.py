"""Explanations in a real shell: below the traceback, which stays as it is."""

import re

import pytest

from shapeguard.records import MIME_TYPE
from tests.transports.conftest import Notebook

MISTAKE = "X = torch.zeros(32, 64)\nW = torch.zeros(64, 16)\nY = X @ W.T"


def test_a_failing_cell_is_explained_in_its_block(notebook: Notebook) -> None:
    cell = notebook.run(MISTAKE)
    assert "try       X @ W   → f32[32, 16]   ran on copies" in cell.text
    (bundle,) = cell.annotations
    assert bundle[MIME_TYPE]["findings"][0]["rule"] == "matmul-contraction"
    assert "<code>X @ W</code>" in bundle["text/html"]


def test_the_traceback_is_what_it_is_without_the_extension(notebook: Notebook) -> None:
    explained = notebook.run(MISTAKE)
    notebook.run("%shapeguard off")
    bare = notebook.run(MISTAKE)
    assert len(explained.annotations) == 1
    assert not bare.annotations
    assert numberless(explained.stdout) == numberless(bare.stdout)
    assert "Traceback" in bare.stdout


def numberless(text: str) -> str:
    """A traceback without the number of the execution."""
    return re.sub(r"In ?\[\d+\]", "In", text)


def test_spans_are_of_the_cell_as_it_was_written(notebook: Notebook) -> None:
    notebook.run(">>> X = torch.zeros(2, 3)\n>>> Y = X @ X")
    report = notebook.report
    assert report is not None
    (finding,) = report.findings
    assert finding.span is not None
    assert (finding.span.line, finding.span.column, finding.span.end_column) == (2, 8, 13)
    assert finding.fixes[0].edits[0].text == "X @ X.T"


def test_a_function_of_an_earlier_cell_is_a_further_source(notebook: Notebook) -> None:
    notebook.run("def product(a, b):\n    return a @ b")
    notebook.run("product(torch.zeros(2, 3), torch.zeros(2, 3))")
    report = notebook.report
    assert report is not None
    (finding,) = report.findings
    assert finding.span is not None
    assert (finding.span.source, finding.span.line) == (1, 2)
    assert report.sources[1].kind == "cell"


@pytest.mark.parametrize("between", ["", "y = 1"])
def test_explain_repeats_the_last_explanation_in_full(notebook: Notebook, between: str) -> None:
    notebook.run(MISTAKE)
    if between:
        notebook.run(between)
    cell = notebook.run("%explain")
    text = cell.bundles[0]["text/plain"]
    assert "W without its transpose" in text
    assert "W.T is f32[16, 64]" in text


def test_explain_says_so_where_nothing_has_failed(notebook: Notebook) -> None:
    assert notebook.run("%explain").stdout == "no tensor operation has failed that could be explained\n"


def test_explain_takes_no_arguments(notebook: Notebook) -> None:
    assert "takes no arguments" in notebook.run("%explain X").stderr


def test_a_terminal_prints_the_explanation(terminal: Notebook) -> None:
    assert "try       X @ W   → f32[32, 16]   ran on copies" in terminal.run(MISTAKE).stdout
