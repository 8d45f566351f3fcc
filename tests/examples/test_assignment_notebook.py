import sys
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from shapeguard import TypeCheckError, explain
from shapeguard.records import Finding

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
NOTEBOOK = nbformat.read(EXAMPLES / "assignment.ipynb", as_version=nbformat.NO_CONVERT)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]

SHAPES = {
    "padded-batch": {"X": (6, 10, 8), "lengths": (6,), "mask": (6, 10)},
    "masked-mean": {"kept": (6, 10, 8), "count": (6, 1), "H": (6, 8)},
    "masked-mean-gradient": {"L": ()},
    "epsilon": {"half": (6, 10, 8), "error": (8,), "weak_slope": (8,), "slope": (8,)},
    "dirty-padding": {"dirty": (6, 10, 8), "by_fill": (6, 8), "by_product": (6, 8)},
    "linear-layer": {"X": (32, 64), "W": (64, 16), "b": (16,), "Y": (32, 16), "L": ()},
    "square-weight": {"S": (64, 64), "c": (64,), "right": (32, 64), "wrong": (32, 64)},
    "guard-refuses": {"X": (32, 64), "W": (64, 16), "Y": (32, 16)},
    "two-layer-tensors": {"X": (4, 6), "W1": (6, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)},
    "detached": {"H": (4, 5), "A": (4, 5), "Y": (4, 3), "L": ()},
    "corrected": {"H": (4, 5), "A": (4, 5), "Y": (4, 3), "L": ()},
    "upstream": {"upstream": (4, 5), "summed": (5,)},
}
"""What each cell leaves in the namespace, by the cell's id."""

GRADIENTS = {
    "padded-batch": {"X": None},
    "masked-mean-gradient": {"X": (6, 10, 8)},
    "linear-layer": {"X": (32, 64), "W": (64, 16), "b": (16,)},
    "two-layer-tensors": {"X": None, "W1": None, "b1": None, "W2": None, "b2": None},
    "detached": {"X": None, "W1": None, "b1": None, "W2": (5, 3), "b2": (3,)},
    "corrected": {"X": (4, 6), "W1": (6, 5), "b1": (5,), "H": (4, 5), "W2": (5, 3), "b2": (3,)},
}


class Run:
    """The notebook after its last cell: which cells raised what, and the values each cell left behind."""

    def __init__(self) -> None:
        self.errors: dict[str, BaseException] = {}
        self.findings: dict[str, Finding | None] = {}
        self.values: dict[str, dict[str, Any]] = {}
        self.gradients: dict[str, dict[str, Any]] = {}

    def run(self, shell: InteractiveShell) -> None:
        for cell in CODE:
            # The extension does not exist yet; run the cell as it is, with the line in it, as soon as it does.
            source = cell.source.replace("%load_ext shapeguard", "pass")
            error = shell.run_cell(source).error_in_exec
            if error is not None:
                self.errors[cell.id] = error
                self.findings[cell.id] = explain(error)
            self.values[cell.id] = dict(shell.user_ns)
            # A gradient is set on its tensor in place, so it is noted now: a later cell may change it.
            self.gradients[cell.id] = {
                name: None if value.grad is None else value.grad.clone()
                for name, value in shell.user_ns.items()
                if isinstance(value, torch.Tensor) and (value.is_leaf or value.retains_grad)
            }


@pytest.fixture(scope="module", params=["repository", "examples"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One execution from each folder that a learner may start the notebook in, with nothing imported before."""
    finished = Run()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY if request.param == "repository" else EXAMPLES)
        patch.setattr(sys, "path", [entry for entry in sys.path if entry != str(EXAMPLES)])
        for script in EXAMPLES.glob("*.py"):
            patch.delitem(sys.modules, script.stem, raising=False)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts its own module there
        shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            finished.run(shell)
    return finished


def test_the_notebook_is_stored_without_results() -> None:
    nbformat.validate(NOTEBOOK)
    assert (NOTEBOOK.nbformat, NOTEBOOK.nbformat_minor) == (4, 5)
    assert NOTEBOOK.metadata.kernelspec.name == "python3"
    assert [cell.outputs for cell in CODE] == [[]] * len(CODE)
    assert [cell.execution_count for cell in CODE] == [None] * len(CODE)
    assert len({cell.id for cell in NOTEBOOK.cells}) == len(NOTEBOOK.cells)


def test_the_first_code_cell_loads_the_extension() -> None:
    assert CODE[0].source.splitlines()[0] == "%load_ext shapeguard"


def test_only_the_cells_that_are_tagged_raise(run: Run) -> None:
    raising = {"torch-refuses": RuntimeError, "guard-refuses": TypeCheckError}
    assert [cell.id for cell in CODE if "raises-exception" in cell.metadata.get("tags", [])] == list(raising)
    assert {cell: type(error) for cell, error in run.errors.items()} == raising


def test_the_transposed_weight_is_explained_with_its_repair(run: Run) -> None:
    finding = run.findings["torch-refuses"]
    assert finding is not None
    assert finding.message.startswith("X @ W.T: dim 1 of X is 64, dim 0 of W.T is 16")
    assert [edit.text for edit in finding.fixes[0].edits] == ["X @ W"]


@pytest.mark.parametrize("cell", SHAPES)
def test_a_cell_binds_tensors_of_these_shapes(run: Run, cell: str) -> None:
    assert {name: tuple(run.values[cell][name].shape) for name in SHAPES[cell]} == SHAPES[cell]


@pytest.mark.parametrize("cell", GRADIENTS)
def test_a_cell_leaves_gradients_of_these_shapes(run: Run, cell: str) -> None:
    gradients = {name: run.gradients[cell][name] for name in GRADIENTS[cell]}
    shapes = {name: None if gradient is None else tuple(gradient.shape) for name, gradient in gradients.items()}
    assert shapes == GRADIENTS[cell]


def test_the_batch_takes_part_in_backpropagation(run: Run) -> None:
    X = run.values["padded-batch"]["X"]
    assert X.is_leaf
    assert X.requires_grad
    assert run.values["padded-batch"]["mask"].dtype == torch.int64
    assert run.values["padded-batch"]["mask"].sum(dim=1).tolist() == [10, 7, 5, 3, 1, 0]


def test_the_empty_row_is_exactly_zero_and_its_gradient_too(run: Run) -> None:
    assert run.values["masked-mean"]["H"][5].tolist() == [0.0] * 8
    gradient = run.gradients["masked-mean-gradient"]["X"]
    assert gradient.isfinite().all()
    assert gradient[5].tolist() == [[0.0] * 8] * 10
    assert gradient[0].count_nonzero() == 80


def test_the_epsilon_cell_computes_what_its_text_says(run: Run) -> None:
    values = run.values["epsilon"]
    assert values["weak_slope"].tolist() == pytest.approx([1e9] * 8)
    assert values["slope"].tolist() == [1.0] * 8
    assert values["error"].tolist() == pytest.approx([1e-9] * 8, rel=1e-3)


def test_multiplying_spoils_the_rows_that_have_padding(run: Run) -> None:
    spoilt = run.values["dirty-padding"]["by_product"].isnan().all(dim=1)
    assert spoilt.tolist() == [False, True, True, True, True, True]


def test_the_refused_cell_changes_nothing(run: Run) -> None:
    assert run.values["guard-refuses"]["Y"] is run.values["square-weight"]["Y"]


def test_the_wrong_line_changes_no_value_and_cuts_the_gradient(run: Run) -> None:
    wrong, corrected = run.values["detached"], run.values["corrected"]
    assert all(torch.equal(wrong[name], corrected[name]) for name in ("H", "A", "Y", "L"))
    assert not wrong["A"].requires_grad
    assert corrected["A"].requires_grad


def test_the_bias_gets_the_upstream_gradient_summed_over_dim_0(run: Run) -> None:
    upstream, bias = run.gradients["corrected"]["H"], run.gradients["corrected"]["b1"]
    torch.testing.assert_close(bias, upstream[0] + upstream[1] + upstream[2] + upstream[3])
    torch.testing.assert_close(run.values["upstream"]["summed"], bias)
