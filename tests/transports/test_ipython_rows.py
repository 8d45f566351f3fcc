"""What a cell shows, in a real InteractiveShell."""

import sys
from collections.abc import Iterator

import pytest

from .conftest import Notebook


@pytest.fixture
def untraced() -> Iterator[None]:
    """Coverage's own tracer, on Python 3.11, would keep ours from being installed."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def test_the_cell_of_the_assignment_shows_dtype_shape_and_gradient(notebook: Notebook) -> None:
    cell = notebook.run(
        "X = torch.randn(6, 10, 8, requires_grad=True)\n"
        "mask = torch.ones(6, 10, dtype=torch.int64)\n"
        "H = (X * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)\n"
        "L = H.sum()"
    )
    assert cell.text == (
        "  X      f32[6, 10, 8]   leaf, requires_grad\n"
        "  mask   i64[6, 10]\n"
        "  H      f32[6, 8]       grad_fn=DivBackward0\n"
        "  L      f32[]           grad_fn=SumBackward0"
    )


BINDINGS = {
    "assignment": ("x = torch.ones(2)", [("x", "f32[2]", 1)]),
    "rebinding shows every value with its line": (
        "x = torch.ones(2)\nx = torch.ones(3)\nx = x.double()",
        [("x", "f32[2]", 1), ("x", "f32[3]", 2), ("x", "f64[3]", 3)],
    ),
    "chained": ("x = y = torch.ones(2)", [("x", "f32[2]", 1), ("y", "f32[2]", 1)]),
    "unpacking": ("a, (b, c) = torch.ones(1), (torch.ones(2), 3)", [("a", "f32[1]", 1), ("b", "f32[2]", 1)]),
    "starred": ("a, *rest = torch.ones(3, 2)", [("a", "f32[2]", 1), ("rest", "list of 2", 1)]),
    "augmented": ("x = torch.ones(2)\nx += 1", [("x", "f32[2]", 1), ("x", "f32[2]", 2)]),
    "annotated": ("x: object = torch.ones(2)", [("x", "f32[2]", 1)]),
    "annotation without a value": ("x: object", []),
    "walrus": ("print((x := torch.ones(2)).shape)", [("x", "f32[2]", 1)]),
    "for-target": ("for x in torch.ones(3, 2):\n    pass", [("x", "f32[2]", 1)]),
    "loop without iterations": ("for x in []:\n    y = torch.ones(1)", []),
    "with-as": (
        "import contextlib\nwith contextlib.nullcontext(torch.ones(2)) as x:\n    y = x * 2",
        [("x", "f32[2]", 2), ("y", "f32[2]", 3)],
    ),
    "branch taken and branch not taken": (
        "if True:\n    x = torch.ones(1)\nelse:\n    z = torch.ones(2)",
        [("x", "f32[1]", 2)],
    ),
    "attribute": ("net = torch.nn.Linear(2, 3)\nnet.w = torch.ones(2)", [("net", "Linear", 1), ("net.w", "f32[2]", 2)]),
    "attribute of a module that is a parameter": (
        "net = torch.nn.Linear(2, 3)\nnet.bias = torch.nn.Parameter(torch.ones(3))",
        [("net", "Linear", 1), ("net.bias", "f32[3]", 2)],
    ),
    "subscript as written": ('cache = {}\ncache["k"] = torch.ones(2)', [('cache["k"]', "f32[2]", 2)]),
    "data of a tensor shows the tensor": (
        "w = torch.ones(2)\nw.data = torch.ones(3)",
        [("w", "f32[2]", 1), ("w", "f32[3]", 2)],
    ),
    "item of a tensor shows the tensor": ("x = torch.ones(2)\nx[0] = 5", [("x", "f32[2]", 1), ("x", "f32[2]", 2)]),
    "top-level await": (
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return torch.ones(2)\nx = await f()",
        [("x", "f32[2]", 5)],
    ),
    "import": ("from torch import pi, tensor\nimport numpy as np", []),
    "match": ("match torch.ones(2):\n    case x:\n        y = x + 1", [("x", "f32[2]", 2), ("y", "f32[2]", 3)]),
    "function bodies are not entered": ("def f():\n    inside = torch.ones(2)\n    return inside\nf()\nNone", []),
    "nothing tensor-like": ("x = 1\ny = 'a'\nz = [1, 2, 3]", []),
    "array": ("import numpy as np\nx = np.zeros((2, 3))", [("x", "f64[2, 3]", 2)]),
    "positions after other alphabets": ("é = 1; x = torch.ones(2)", [("x", "f32[2]", 1)]),
}


@pytest.mark.parametrize("case", BINDINGS)
@pytest.mark.usefixtures("untraced")
def test_every_kind_of_binding_is_shown(notebook: Notebook, case: str) -> None:
    source, expected = BINDINGS[case]
    assert notebook.rows(source) == expected


def test_a_result_is_shown_under_the_number_that_the_shell_keeps_it_under(notebook: Notebook) -> None:
    notebook.run("x = torch.ones(2, 3)")
    number = notebook.shell.execution_count
    assert notebook.rows("x.T") == [(f"Out[{number}]", "f32[3, 2]", 1)]
    assert notebook["Out"][number].shape == (3, 2)


def test_a_result_with_a_semicolon_is_shown_as_written(notebook: Notebook) -> None:
    notebook.run("x = torch.ones(2, 3)")
    cell = notebook.run("x.sum(0);")
    assert [(seen.target, seen.role, seen.spec.shape) for seen in notebook.observations] == [
        ("x.sum(0)", "result", (3,))
    ]
    assert cell.result.result is None


def test_only_the_displayed_expression_of_a_cell_is_a_result(notebook: Notebook) -> None:
    assert [seen.role for seen in notebook.observations] == []
    notebook.run("torch.ones(1)\ntorch.ones(2)")
    assert [seen.spec.shape for seen in notebook.observations] == [(2,)]


def test_all_results_are_shown_where_the_shell_displays_all(notebook: Notebook) -> None:
    notebook.shell.ast_node_interactivity = "all"
    try:
        notebook.run("torch.ones(1)\ntorch.ones(2)\nNone")
    finally:
        notebook.shell.ast_node_interactivity = "last_expr"
    assert [seen.spec.shape for seen in notebook.observations] == [(1,), (2,)]


def test_an_assignment_that_the_shell_displays_is_shown_once(notebook: Notebook) -> None:
    notebook.shell.ast_node_interactivity = "last_expr_or_assign"
    try:
        assert notebook.rows("x = torch.ones(2)") == [("x", "f32[2]", 1)]
    finally:
        notebook.shell.ast_node_interactivity = "last_expr"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = torch.ones(1)\n1 / 0\ny = x", ["x"]),
        ("with torch.no_grad():\n    x = torch.ones(1)\n    1 / 0\n    y = x", ["x"]),
        ("for i in range(3):\n    x = torch.ones(i)\n    if i == 1:\n        raise ValueError\n    y = x", ["x", "y"]),
        ("x = torch.ones(1) @ torch.ones(2)", []),
        ("a, b = torch.ones(1), 1 / 0", []),
        ("x = torch.ones(1)\nawait missing", ["x"]),
    ],
)
@pytest.mark.usefixtures("untraced")
def test_a_cell_that_fails_shows_what_had_run(notebook: Notebook, source: str, names: list[str]) -> None:
    assert notebook.names(source) == names
    assert notebook.report is not None
    assert notebook.report.status == "error"
    assert notebook.report.error is not None


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.usefixtures("untraced")
def test_a_branch_that_is_not_taken_shows_nothing_even_where_the_name_is_bound(
    notebook: Notebook, *, again: bool
) -> None:
    source = "flag = False\nif flag:\n    x = torch.zeros(3)\nelse:\n    y = torch.zeros(4)"
    notebook.run("x = torch.ones(2)")
    if again:
        notebook.run(source)
    assert notebook.rows(source) == [("y", "f32[4]", 5)]


@pytest.mark.usefixtures("untraced")
def test_running_a_cell_again_shows_the_same_rows(notebook: Notebook) -> None:
    notebook.run("xs = [torch.ones(i) for i in range(3)]")
    source = "for x in xs:\n    y = x\ntry:\n    z = xs[0]\nexcept IndexError:\n    w = 1"
    first = notebook.rows(source)
    assert [target for target, _, _ in first] == ["x", "y", "z"]
    assert notebook.rows(source) == first


def test_a_tracer_of_the_users_keeps_branches_right(notebook: Notebook) -> None:
    tracer = sys.gettrace()
    notebook.run("x = torch.ones(2)\nimport sys\nsys.settrace(lambda *_: None)")
    try:
        assert notebook.names("if False:\n    x = torch.zeros(3)\nelse:\n    y = torch.zeros(4)") == ["y"]
        assert sys.gettrace() is not None
    finally:
        sys.settrace(tracer)


@pytest.mark.parametrize(
    ("cell", "line", "column"),
    [
        ("x = torch.ones(2)", 1, 0),
        ("\n\nx = torch.ones(2)", 3, 0),
        ("    x = torch.ones(2)", 1, 4),
        (">>> x = torch.ones(2)", 1, 4),
        ("%matplotlib --list\nx = torch.ones(2)", 2, 0),
        ("y = %pwd\nx = torch.ones(2)", 2, 0),
        ("s = 'é'; x = torch.ones(2)", 1, 9),
        ("%%time\nx = torch.ones(2)", 2, 0),
        ("\n%%time\n\nx = torch.ones(2)", 4, 0),
        ("%time x = torch.ones(2)", 1, 6),
        ("%%shapes deep\nx = 1\n", None, None),
    ],
)
def test_spans_are_places_in_the_cell_as_it_was_written(
    notebook: Notebook, cell: str, line: int | None, column: int | None
) -> None:
    notebook.run(cell)
    places = [(seen.span.line, seen.span.column) for seen in notebook.observations]
    assert places == ([] if line is None else [(line, column)])
    for seen in notebook.observations:
        span = seen.span
        assert cell.splitlines()[span.line - 1][span.column : span.end_column] == "x"


def test_forty_rows_are_shown_and_the_rest_is_counted(notebook: Notebook) -> None:
    forty = "\n".join(f"x{i} = torch.ones({i + 1})" for i in range(40))
    assert notebook.run(forty).text.count("\n") == 39
    cell = notebook.run(forty + "\n" + "\n".join(f"y{i} = x0" for i in range(12)))
    lines = cell.text.splitlines()
    assert len(lines) == 41
    assert lines[-1] == "  12 more (%shapes shows all)"
    assert notebook.report is not None
    assert len(notebook.report.observations) == 52


def test_a_cell_without_tensors_publishes_nothing(notebook: Notebook) -> None:
    assert notebook.run("x = 1").bundles == []
    assert notebook.run("").bundles == []
    assert notebook.run("# only a comment").bundles == []


def test_one_bundle_has_json_html_and_text(notebook: Notebook) -> None:
    cell = notebook.run("x = torch.ones(2)\ny = x")
    (bundle,) = cell.bundles
    assert set(bundle) == {"application/vnd.shapeguard.v1+json", "text/html", "text/plain"}
    assert bundle["application/vnd.shapeguard.v1+json"]["observations"][0]["target"] == "x"
    assert "<script" not in bundle["text/html"]


def test_a_nested_cell_shows_in_the_block_of_its_outer_cell(notebook: Notebook) -> None:
    cell = notebook.run("%%capture said\nx = torch.ones(2)\nprint('hidden')")
    assert [bundle["text/plain"] for bundle in cell.annotations] == ["  x   f32[2]"]
    assert notebook["said"].stdout == "hidden\n"
    cell = notebook.run("a = torch.ones(1)\nget_ipython().run_cell('b = torch.ones(2)')\nc = torch.ones(3)")
    assert [bundle["text/plain"] for bundle in cell.annotations] == ["  a   f32[1]\n  c   f32[3]\n  b   f32[2]"]


def test_a_timed_cell_shows_what_its_body_bound(notebook: Notebook) -> None:
    assert notebook.names("%%time\nx = torch.ones(2)\ny = x * 2") == ["x", "y"]
    assert notebook.names("%%timeit -n1 -r1\nz = torch.ones(2)") == []


def test_in_a_terminal_the_rows_are_printed_below_the_output(terminal: Notebook) -> None:
    cell = terminal.run("print('first')\nx = torch.ones(2)\n3")
    assert cell.stdout == "first\nOut[2]: 3\n  x   f32[2]\n"


def test_a_report_knows_its_cell(notebook: Notebook) -> None:
    notebook.run("x = torch.ones(2)", cell_id="abc")
    assert notebook.report is not None
    (source,) = notebook.report.sources
    assert (source.uri, source.kind, source.cell_id) == ("cell:abc", "cell", "abc")
    assert source.execution_count == notebook.shell.execution_count - 1
    assert source.sha256 == "61a9e713b9fb8a2ee89168b24d18ec914a1fc440e28cb756b3b7fe053e3e29af"


def test_rows_in_a_terminal_stay_out_of_what_the_cell_put_in_place_of_standard_output(terminal: Notebook) -> None:
    cell = terminal.run("import io, sys\nkept, sys.stdout = sys.stdout, io.StringIO()\nx = torch.ones(2)")
    terminal.shell.user_ns["buffer"], sys.stdout = sys.stdout, terminal["kept"]
    assert "x   f32[2]" in cell.stdout


@pytest.mark.usefixtures("untraced")
def test_a_training_loop_shows_what_its_last_pass_left(notebook: Notebook) -> None:
    notebook.run("net = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(60)])")
    loop = (
        "optimizer = torch.optim.Adam(net.parameters())\n"
        "for epoch in range(2):\n"
        "    for x in torch.ones(3, 8, 4):\n"
        "        out = net(x)\n"
        "        loss = out.square().mean()\n"
        "        optimizer.zero_grad()\n"
        "        loss.backward()\n"
        "        optimizer.step()\n"
        "    last = loss.detach()\n"
        "    if epoch == 99:\n"
        "        never = last\n"
    )
    expected = [("x", 3), ("out", 4), ("loss", 5), ("last", 9)]
    assert [(target, line) for target, _, line in notebook.rows(loop)] == expected
    assert [(target, line) for target, _, line in notebook.rows(loop)] == expected
