"""Which rows a report has, and what stands in each."""

import pytest

from shapeguard.records import Finding, Observation, ProgramError, Report, Span, Spec
from shapeguard.rendering import Row, Selection, block, page, report_text, rows_of, rows_text
from shapeguard.rendering.rows import note, shortened


def spec(kind: str = "tensor") -> Spec:
    return Spec(kind, "torch.Tensor", shape=(2,), dtype="float32", traits=(("len", "1"),))


def observed(target: str, line: int = 1, kind: str = "tensor") -> Observation:
    return Observation(target, "binding", Span(0, line, 0, line, 1), None, spec(kind))


def many(count: int) -> list[Observation]:
    return [observed(f"x{index}", index + 1) for index in range(count)]


@pytest.mark.parametrize(
    ("count", "limit", "rows", "more"),
    [
        (39, 40, 39, 0),
        (40, 40, 40, 0),
        (41, 40, 40, 1),
        (100, 40, 40, 60),
        (3, 0, 0, 3),
        (0, 0, 0, 0),
        (100, None, 100, 0),
    ],
)
def test_rows_beyond_the_limit_are_counted(count: int, limit: int | None, rows: int, more: int) -> None:
    table = rows_of(many(count), Selection(limit))
    assert (len(table.rows), table.more) == (rows, more)


def test_forty_rows_is_what_a_cell_shows_and_the_rest_is_told_in_text_and_html() -> None:
    full, beyond = Report((), observations=tuple(many(40))), Report((), observations=tuple(many(41)))
    assert "more" not in report_text(full)
    assert "more (" not in block(full)
    assert report_text(beyond).splitlines()[-1] == "  1 more (%shapes shows all)"
    assert "<p>1 more (%shapes shows all)</p>" in block(beyond)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), ["X", "net.w", "A", "d", "m"]),
        (Selection(kinds=("tensor",)), ["X", "net.w"]),
        (Selection(kinds=("array", "module")), ["A", "m"]),
        (Selection(kinds=()), []),
        (Selection(names=("X",)), ["X"]),
        (Selection(names=("x",)), []),
        (Selection(names=("net.*", "A")), ["net.w", "A"]),
        (Selection(names=("?",)), ["X", "A", "d", "m"]),
        (Selection(names=("[XA]",)), ["X", "A"]),
        (Selection(kinds=("container",), names=("X", "d")), ["d"]),
        (Selection(limit=1, names=("A", "d")), ["A"]),
    ],
)
def test_rows_are_chosen_by_kind_and_by_name(selection: Selection, names: list[str]) -> None:
    observations = [
        observed("X"),
        observed("net.w"),
        observed("A", kind="array"),
        observed("d", kind="container"),
        observed("m", kind="module"),
    ]
    assert [row.name for row in rows_of(observations, selection).rows] == names


def test_what_the_selection_leaves_out_does_not_count_as_more() -> None:
    assert rows_of(many(41), Selection(names=("x0",))).more == 0


def test_a_name_that_is_bound_more_than_once_carries_its_line() -> None:
    rows = rows_of([observed("x", 1), observed("y", 2), observed("x", 30)]).rows
    assert [(row.name, row.note) for row in rows] == [("x", "line 1, len 1"), ("y", "len 1"), ("x", "line 30, len 1")]


def test_a_repetition_that_the_selection_leaves_out_needs_no_line() -> None:
    rows = rows_of([observed("x", 1), observed("x", 2, "array")], Selection(kinds=("tensor",))).rows
    assert [row.note for row in rows] == ["len 1"]


def test_with_numbers_each_row_has_its_line_in_front_and_none_in_its_note() -> None:
    table = rows_of([observed("x", 9), observed("x", 10)], numbered=True)
    assert [(row.line, row.note) for row in table.rows] == [(9, "len 1"), (10, "len 1")]
    assert rows_text(table).splitlines() == ["   9  x   f32[2]   len 1", "  10  x   f32[2]   len 1"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("f(a,\n    b)", "f(a, b)"),
        ("a" * 60, "a" * 60),
        ("a" * 30 + "b" * 31, "a" * 28 + " … " + "b" * 28),
    ],
)
def test_a_long_name_is_cut_in_the_middle_and_stands_on_one_line(name: str, expected: str) -> None:
    assert shortened(name) == expected


def tensor_note(**fields: object) -> str:
    return note(Spec("tensor", str(fields.pop("type", "torch.Tensor")), shape=(), **fields))  # type: ignore[arg-type]  # a shorthand


def module_note(*traits: tuple[str, str]) -> str:
    return note(Spec("module", "torch.nn.modules.linear.Linear", traits=traits))


def container_note(*items: tuple[str, Spec], omitted: str | None = None) -> str:
    traits = () if omitted is None else (("omitted", omitted),)
    return note(Spec("container", "dict", traits=traits, items=items))


F2 = Spec("tensor", "torch.Tensor", shape=(2,), dtype="float32")
I3 = Spec("tensor", "torch.Tensor", shape=(3,), dtype="int64")
INNER = Spec("container", "list", traits=(("len", "2"),), items=(("0", F2), ("1", F2)))
NET = Spec("module", "m.Net", traits=(("parameters", "6"), ("trainable", "6"), ("dtypes", "float32")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (tensor_note(), ""),
        (tensor_note(device="cpu", requires_grad=False, is_leaf=True), ""),
        (tensor_note(device="meta"), "meta"),
        (tensor_note(device="cuda:0", requires_grad=True, is_leaf=True), "cuda:0, leaf, requires_grad"),
        (tensor_note(requires_grad=True, is_leaf=False), "requires_grad"),
        (tensor_note(requires_grad=True, is_leaf=False, grad_fn="AddBackward0"), "grad_fn=AddBackward0"),
        (
            tensor_note(type="torch.nn.parameter.Parameter", requires_grad=True, is_leaf=True),
            "Parameter, leaf, requires_grad",
        ),
        (tensor_note(traits=(("layout", "sparse_coo"), ("local_shape", "[2]"))), "layout sparse_coo, local shape [2]"),
        (
            note(Spec("tensor", "torch.nn.parameter.UninitializedParameter", requires_grad=True, is_leaf=True)),
            "leaf, requires_grad",
        ),
        (module_note(("parameters", "0"), ("trainable", "0")), "0 parameters"),
        (module_note(("parameters", "1"), ("trainable", "1"), ("dtypes", "float32")), "1 parameter, f32"),
        (module_note(("parameters", "1234567"), ("trainable", "1234567")), "1,234,567 parameters"),
        (module_note(("parameters", "10"), ("trainable", "4")), "10 parameters, 4 trainable"),
        (module_note(("parameters", "10"), ("trainable", "0")), "10 parameters, none trainable"),
        (
            module_note(("parameters", "2"), ("trainable", "2"), ("dtypes", "float16, quint8")),
            "2 parameters, f16 and quint8",
        ),
        (module_note(("parameters", "0"), ("trainable", "0"), ("uninitialized", "2")), "0 parameters, 2 uninitialized"),
        (module_note(("parameters", "9"), ("trainable", "9"), ("capped", "…")), "over 9 parameters"),
        (container_note(("0", F2), ("1", I3)), "f32[2], i64[3]"),
        (container_note(("0", F2), ("1", F2), ("2", F2), ("3", I3)), "3 × f32[2], i64[3]"),
        (container_note(("a", F2), ("b", F2)), "a: f32[2], b: f32[2]"),
        (container_note(("a" * 31, F2)), f"{'a' * 13} … {'a' * 13}: f32[2]"),
        (container_note(("0", F2), omitted="99992"), "f32[2], 99,992 more"),
        (container_note(("0", F2), omitted="too deep"), "f32[2], …"),
        (container_note(("a", INNER), ("b", NET)), "a: list of 2 (2 × f32[2]), b: Net (6 parameters, f32)"),
        (container_note(("1", F2), ("0", I3)), "1: f32[2], 0: i64[3]"),
    ],
)
def test_what_a_note_says(text: str, expected: str) -> None:
    assert text == expected


FINDING = Finding("rule", "error", "X is 2, not 3", Span(0, 4, 0, 4, 1), because=("so it is",))


@pytest.mark.parametrize(
    ("message", "shown"),
    [("X is 2, not 3\nand more", False), ("X is 2, not 3", False), ("something else", True)],
)
def test_a_finding_that_the_exception_says_itself_is_not_said_again_in_text(message: str, *, shown: bool) -> None:
    text = report_text(Report((), error=ProgramError("TypeCheckError", message), findings=(FINDING,)))
    assert text == ("  error   line 4: X is 2, not 3\n          so it is" if shown else "")


@pytest.mark.parametrize(
    ("source", "after"),
    [("x = f(\n  1)\ny = 2", ["x = f(\n  1)", "y = 2"]), ("'\f\u2028'\ny = 1\nz = 2", ["'\f\u2028'\ny = 1", "z = 2"])],
)
def test_on_a_page_the_rows_stand_below_the_last_line_of_their_statement(source: str, after: list[str]) -> None:
    report = Report((), observations=(observed("x", 2),))
    html = page("t", source.replace("'", '"'), report)
    parts = [part.partition("</code>")[0].replace("&quot;", "'") for part in html.split("<pre><code>")[1:]]
    assert parts == after
    assert html.index("aria-label") < html.index(f"<pre><code>{after[1]}")


def test_a_row_is_what_it_is_made_of() -> None:
    assert rows_of([observed("x")]).rows == (Row("x", "f32[2]", "len 1"),)
