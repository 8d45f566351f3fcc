"""`%shapeguard`, `%shapes` and `%%shapes off`."""

import pytest

from .conftest import Notebook


def test_off_and_on_within_a_cell_hold_for_its_statements(notebook: Notebook) -> None:
    cell = "a = torch.ones(1)\n%shapeguard off\nx = torch.ones(2)\n%shapeguard on\ny = torch.ones(3)\nz = torch.ones(4)"
    assert notebook.names(cell) == ["a", "y", "z"]


def test_off_and_on(notebook: Notebook) -> None:
    notebook.run("%shapeguard off")
    assert notebook.run("x = torch.ones(2)").bundles == []
    assert notebook.run("%shapeguard status").stdout.startswith("shapeguard is off; rows=40")
    notebook.run("%shapeguard on")
    assert notebook.names("x = torch.ones(2)") == ["x"]
    assert notebook.run("%shapeguard").stdout == (
        "shapeguard is on; rows=40, items=8, kinds=tensor array container module, names=(none), color=auto, guard=on\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "%shapeguard of",
            "%shapeguard: 'of' is not valid; valid are on, off, status, guard on, guard off, set OPTION VALUE",
        ),
        (
            "%shapeguard on now",
            "%shapeguard: 'on now' is not valid; valid are on, off, status, guard on, guard off, set OPTION VALUE",
        ),
        ("%shapeguard set", "%shapeguard set OPTION VALUE; options are rows, items, kinds, names, color, guard"),
        (
            "%shapeguard set row 3",
            "%shapeguard set: 'row' is not an option; valid are rows, items, kinds, names, color, guard",
        ),
        ("%shapeguard set rows many", "%shapeguard set: rows takes a whole number, 0 or more; got 'many'"),
        ("%shapeguard set rows -1", "%shapeguard set: rows takes a whole number, 0 or more; got '-1'"),
        (
            "%shapeguard set kinds tensors",
            "%shapeguard set: kinds takes one or more of tensor, array, container, module; got 'tensors'",
        ),
        ("%shapeguard set color red", "%shapeguard set: color takes one of auto, always, never; got 'red'"),
        (
            "%shapes nope",
            "%shapes: 'nope' is not defined, or cannot be read without running code; names with shapes are: X",
        ),
        (
            "%shapes X.grad",
            "%shapes: 'X.grad' is not defined, or cannot be read without running code; names with shapes are: X",
        ),
        (
            "%shapes 'unclosed",
            "%shapes: 'unclosed' is not defined, or cannot be read without running code; names with shapes are: X",
        ),
        ("%shapes number", "%shapes: 'number' has no shape; names with shapes are: X"),
        (
            "%shapes --kind tensors",
            "%shapes: --kind takes one of tensor, array, container, module; got tensors",
        ),
        ("%%shapes on\ny = 1", "%%shapes: 'on' is not valid on the first line of a cell; valid: off"),
    ],
)
def test_wrong_use_prints_one_line_that_lists_what_is_valid(notebook: Notebook, line: str, message: str) -> None:
    notebook.run("X = torch.ones(2)\nnumber = 3")
    cell = notebook.run(line)
    assert cell.stderr == f"UsageError: {message}\n"
    assert cell.stdout == ""
    assert "y" not in notebook.shell.user_ns


def test_options_take_effect_at_once(notebook: Notebook) -> None:
    notebook.run("%shapeguard set rows 1")
    assert notebook.run("x = torch.ones(2)\ny = x").text == "  x   f32[2]\n  1 more (%shapes shows all)"
    notebook.run("%shapeguard set rows 40\n%shapeguard set kinds module container")
    assert notebook.run("x = torch.ones(2)\nnet = torch.nn.ReLU()").text == "  net   ReLU   0 parameters"
    notebook.run("%shapeguard set kinds tensor array container module\n%shapeguard set names W* net.*")
    assert notebook.run("x = torch.ones(2)\nW1 = x").text == "  W1   f32[2]"
    notebook.run("%shapeguard set names")
    assert notebook.run("x = torch.ones(2)").text == "  x   f32[2]"


def test_ipythons_own_config_magic_sets_options_too(notebook: Notebook, caplog: pytest.LogCaptureFixture) -> None:
    notebook.run("%config Shapeguard.rows = 1")
    assert notebook.run("x = torch.ones(2)\ny = x").text == "  x   f32[2]\n  1 more (%shapes shows all)"
    notebook.run("%config Shapeguard.rows = -1")
    assert "rows takes a whole number, 0 or more; got '-1'" in caplog.text
    assert "rows=1" in notebook.run("%shapeguard status").stdout
    notebook.run("%shapeguard set rows 9")
    assert "9" in notebook.run("%config Shapeguard.rows").stdout


def test_shapes_lists_the_namespace_largest_first_with_bytes(notebook: Notebook) -> None:
    notebook.run("small = torch.ones(2)\nlarge = torch.ones(1000, requires_grad=True)\nn = 3\n_hidden = large")
    notebook.run("import numpy as np\narray = np.zeros(3)\nnet = torch.nn.Linear(3, 2)\nlarge")
    (bundle,) = notebook.run("%shapes").bundles
    assert bundle["text/plain"] == (
        "  large   f32[1000]   4.0 kB, leaf, requires_grad\n"
        "  net     Linear      32 B, 8 parameters, f32\n"
        "  array   f64[3]      24 B, ndarray\n"
        "  small   f32[2]      8 B"
    )
    assert "<script" not in bundle["text/html"]
    assert "large" in bundle["text/html"]


def test_shapes_of_names_patterns_and_kinds(notebook: Notebook) -> None:
    notebook.run("W1 = torch.ones(2)\nW2 = torch.ones(3)\nb = torch.ones(4)\nnet = torch.nn.Linear(3, 2)\nd = {'k': b}")
    text = lambda line: [row.split()[0] for row in notebook.run(line).bundles[0]["text/plain"].splitlines()]  # noqa: E731
    assert text("%shapes W*") == ["W2", "W1"]
    assert text("%shapes b W1") == ["b", "W1"]
    assert text("%shapes --kind module") == ["net"]
    assert text("%shapes net") == ["net", "net.weight", "net.bias"]
    assert text("%shapes net.weight") == ["net.weight"]
    assert text("%shapes d['k']") == ["d['k']"]
    assert text("%shapes d") == ["d", "d['k']"]
    assert text("%shapes --kind tensor d b") == ["d['k']", "b"]
    notebook.run("d['a b'] = W1")
    assert notebook.run("%shapes d['a b']").bundles[0]["text/plain"] == "  d['a b']   f32[2]   8 B"
    assert notebook.run("%shapes V*").stdout == "no tensors, arrays or modules that V* names in the namespace\n"


def test_shapes_shows_all_that_a_cell_left_out(notebook: Notebook) -> None:
    notebook.run("\n".join(f"x{i} = torch.ones({i + 1})" for i in range(60)))
    (bundle,) = notebook.run("%shapes").bundles
    assert bundle["text/plain"].count("\n") == 59


def test_shapes_of_an_empty_namespace_says_so(notebook: Notebook) -> None:
    assert notebook.run("%shapes").stdout == "no tensors, arrays or modules in the namespace\n"
    assert (
        notebook.run("%shapes --kind array").stdout == "no tensors, arrays or modules of kind array in the namespace\n"
    )


@pytest.mark.parametrize(
    "cell",
    [
        "%%shapes off\nx = torch.ones(2)\nx",
        "\n  \n%%shapes off\nx = torch.ones(2)",
        "%%shapes  off\n%%time\nx = torch.ones(2)",
        "%%shapes off\n%%capture\nx = torch.ones(2)",
    ],
)
def test_a_muted_cell_runs_without_rows(notebook: Notebook, cell: str) -> None:
    assert notebook.run(cell).annotations == []
    assert notebook["x"].shape == (2,)
    assert notebook.names("y = torch.ones(3)") == ["y"]


def test_a_muted_cell_is_otherwise_the_cell_that_it_is(notebook: Notebook) -> None:
    cell = notebook.run("%%shapes off\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0")
    assert "line 4" in cell.stdout
    assert isinstance(cell.result.error_in_exec, ZeroDivisionError)
    assert notebook.run("%%shapes off\n41 + 1").result.result == 42
    assert notebook.run("_").result.result == 42


@pytest.mark.parametrize(
    ("text", "status"),
    [("%%shapes off", "incomplete"), ("%%shapes off\nx = 1", "incomplete"), ("%%shapes off\nx = 1\n\n", "complete")],
)
def test_a_terminal_waits_for_the_body_of_a_muted_cell(notebook: Notebook, text: str, status: str) -> None:
    assert notebook.shell.check_complete(text)[0] == status
