"""In a real kernel, driven as a notebook front end does."""

from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="the environment of the oldest IPython has no kernel")
nbclient = pytest.importorskip("nbclient", reason="the environment of the oldest IPython has no kernel")

from shapeguard.records import MIME_TYPE, Report  # noqa: E402
from shapeguard.records.codec import Fields  # noqa: E402

pytestmark = pytest.mark.kernel

CELLS = [
    "import torch\n%load_ext shapeguard",
    "print('before')\nx = torch.randn(6, 10, 8, requires_grad=True)\ny = x.sum()\ny",
    "x[0].sum();",
    "z = torch.ones(2)\nz @ x",
    "n = 3",
    "import asyncio\nawait asyncio.sleep(0)\nw = torch.ones(3)",
    "%%shapes off\nv = w",
    "%shapes x",
    "%unload_ext shapeguard\nu = w",
]


@pytest.fixture(scope="module")
def outputs() -> list[list[Any]]:
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{index}") for index, source in enumerate(CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbclient.NotebookClient(notebook, allow_errors=True, timeout=300).execute()
    nbformat.validate(notebook)
    return [cell.outputs for cell in notebook.cells]


def kinds(outputs: list[Any]) -> list[str]:
    return ["block" if MIME_TYPE in output.get("data", {}) else output.output_type for output in outputs]


def test_the_block_stands_below_the_output_and_the_result(outputs: list[list[Any]]) -> None:
    assert kinds(outputs[1]) == ["stream", "execute_result", "block"]
    block = outputs[1][-1].data
    assert block["text/plain"] == (
        "  x        f32[6, 10, 8]   leaf, requires_grad\n"
        "  y        f32[]           grad_fn=SumBackward0\n"
        "  Out[2]   f32[]           grad_fn=SumBackward0"
    )
    assert block["text/html"].count("<tr>") == 4


def test_the_payload_is_a_report_that_can_be_read_back(outputs: list[list[Any]]) -> None:
    report = Report.read(Fields("Report", outputs[1][-1].data[MIME_TYPE]))
    assert report.sources[0].execution_count == 2
    assert [seen.target for seen in report.observations] == ["x", "y", "Out[2]"]


def test_a_value_that_a_semicolon_drops(outputs: list[list[Any]]) -> None:
    assert kinds(outputs[2]) == ["block"]
    assert outputs[2][0].data["text/plain"] == "  x[0].sum()   f32[]   grad_fn=SumBackward0"


def test_the_block_stands_below_the_traceback(outputs: list[list[Any]]) -> None:
    assert kinds(outputs[3]) == ["error", "block"]
    assert (
        outputs[3][-1]
        .data["text/plain"]
        .startswith(
            "  z   f32[2]\n  z @ x   z is f32[2], x is f32[6, 10, 8]\n          dim 0 of z is 2, dim 1 of x is 10"
        )
    )
    assert not any("shapeguard" in line for line in outputs[3][0].traceback)


def test_what_there_is_nothing_to_say_of(outputs: list[list[Any]]) -> None:
    assert kinds(outputs[0]) == []
    assert kinds(outputs[4]) == []
    assert kinds(outputs[6]) == []
    assert kinds(outputs[8]) == []


def test_top_level_await_and_shapes(outputs: list[list[Any]]) -> None:
    assert outputs[5][0].data["text/plain"] == "  w   f32[3]"
    assert outputs[7][0].data["text/plain"] == "  x   f32[6, 10, 8]   1.9 kB, leaf, requires_grad"
    assert "text/html" in outputs[7][0].data
