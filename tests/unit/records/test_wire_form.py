"""The JSON form of each record is the one that the protocol lists, key for key."""

import dataclasses
import inspect
import json
import operator
from collections.abc import Iterator
from typing import Any

import pytest

from shapeguard import records
from shapeguard.errors import RecordError, ShapeguardError
from shapeguard.records import (
    Conflict,
    Edit,
    Finding,
    Fix,
    GradientEntry,
    GradientReport,
    GradientRoot,
    Graph,
    Observation,
    Operand,
    ProgramError,
    Record,
    Report,
    Source,
    Span,
    Spec,
    Verdict,
    lines_of,
)

SPAN = Span(source=0, line=3, column=0, end_line=3, end_column=1)
SPAN_JSON: dict[str, Any] = {"source": 0, "line": 3, "column": 0, "end_line": 3, "end_column": 1}

BARE = Spec("other", "builtins.int")
BARE_JSON: dict[str, Any] = {
    "kind": "other",
    "type": "builtins.int",
    "shape": None,
    "dims": None,
    "dtype": None,
    "device": None,
    "requires_grad": None,
    "grad_fn": None,
    "is_leaf": None,
    "nbytes": None,
    "traits": [],
    "items": [],
}

SPEC = Spec(
    kind="tensor",
    type="torch.Tensor",
    shape=(6, "s26", 8),
    dims=("B", "T", None),
    dtype="float32",
    device="cpu",
    requires_grad=True,
    grad_fn="AddBackward0",
    is_leaf=False,
    nbytes=1920,
    traits=(("layout", "sparse_coo"), ("local_shape", "[2, 4]")),
    items=(("k", BARE),),
)
SPEC_JSON: dict[str, Any] = {
    "kind": "tensor",
    "type": "torch.Tensor",
    "shape": [6, "s26", 8],
    "dims": ["B", "T", None],
    "dtype": "float32",
    "device": "cpu",
    "requires_grad": True,
    "grad_fn": "AddBackward0",
    "is_leaf": False,
    "nbytes": 1920,
    "traits": [["layout", "sparse_coo"], ["local_shape", "[2, 4]"]],
    "items": [["k", BARE_JSON]],
}

OBSERVATION = Observation("X", "binding", SPAN, "model.forward", SPEC, count=3, exact=False, earlier=(BARE,))
OBSERVATION_JSON: dict[str, Any] = {
    "target": "X",
    "role": "binding",
    "span": SPAN_JSON,
    "scope": "model.forward",
    "spec": SPEC_JSON,
    "count": 3,
    "exact": False,
    "earlier": [BARE_JSON],
}

OPERAND = Operand("W.T", SPAN, SPEC)
OPERAND_JSON: dict[str, Any] = {"expression": "W.T", "span": SPAN_JSON, "spec": SPEC_JSON}
CONFLICT = Conflict(operand=0, dim=1, what="size", value=64)
CONFLICT_JSON: dict[str, Any] = {"operand": 0, "dim": 1, "what": "size", "value": 64}
EDIT = Edit(SPAN, "X @ W")
EDIT_JSON: dict[str, Any] = {"span": SPAN_JSON, "text": "X @ W"}
FIX = Fix("multiply by W instead of W.T", (EDIT,), SPEC, "real")
FIX_JSON: dict[str, Any] = {
    "title": "multiply by W instead of W.T",
    "edits": [EDIT_JSON],
    "result": SPEC_JSON,
    "confirmed": "real",
}
FINDING = Finding(
    "matmul-contraction",
    "error",
    "X @ W.T: dim 1 of X is 64, dim 0 of W.T is 16",
    SPAN,
    "X @ W.T",
    (OPERAND,),
    (CONFLICT,),
    (FIX,),
    "model.blocks.1.net.2",
    ("T comes from tokens.",),
    (("B", "D"),),
)
FINDING_JSON: dict[str, Any] = {
    "rule": "matmul-contraction",
    "severity": "error",
    "message": "X @ W.T: dim 1 of X is 64, dim 0 of W.T is 16",
    "span": SPAN_JSON,
    "expression": "X @ W.T",
    "operands": [OPERAND_JSON],
    "conflicts": [CONFLICT_JSON],
    "fixes": [FIX_JSON],
    "where": "model.blocks.1.net.2",
    "because": ["T comes from tokens."],
    "silent_when": [["B", "D"]],
}
BARE_FINDING = Finding("guard-size", "warning", "no")
BARE_FINDING_JSON: dict[str, Any] = {
    "rule": "guard-size",
    "severity": "warning",
    "message": "no",
    "span": None,
    "expression": None,
    "operands": [],
    "conflicts": [],
    "fixes": [],
    "where": None,
    "because": [],
    "silent_when": [],
}

VERDICT = Verdict("masked_mean", SPAN, "refuted", "sizes differ", (BARE_FINDING,), (OBSERVATION,), 4.5)
VERDICT_JSON: dict[str, Any] = {
    "function": "masked_mean",
    "span": SPAN_JSON,
    "status": "refuted",
    "reason": "sizes differ",
    "findings": [BARE_FINDING_JSON],
    "observations": [OBSERVATION_JSON],
    "elapsed_ms": 4.5,
}

ROOT = GradientRoot("L", BARE, SPAN)
ROOT_JSON: dict[str, Any] = {"target": "L", "spec": BARE_JSON, "span": SPAN_JSON}
ENTRY = GradientEntry("b1", SPEC, reached=True, gradient_shape=(5, "j1"), summed_dims=(0,), because=("broadcast",))
ENTRY_JSON: dict[str, Any] = {
    "target": "b1",
    "spec": SPEC_JSON,
    "reached": True,
    "gradient_shape": [5, "j1"],
    "summed_dims": [0],
    "because": ["broadcast"],
}
GRAPH = Graph((("n0", "AddBackward0", BARE), ("n1", "L", None)), (("n0", "n1", (5, "s0")), ("n1", "n0", None)))
GRAPH_JSON: dict[str, Any] = {
    "nodes": [["n0", "AddBackward0", BARE_JSON], ["n1", "L", None]],
    "edges": [["n0", "n1", [5, "s0"]], ["n1", "n0", None]],
}
GRADIENTS = GradientReport((ROOT,), (ENTRY,), (BARE_FINDING,), GRAPH)
GRADIENTS_JSON: dict[str, Any] = {
    "roots": [ROOT_JSON],
    "entries": [ENTRY_JSON],
    "cuts": [BARE_FINDING_JSON],
    "graph": GRAPH_JSON,
}

SOURCE = Source("file:///a.py", "cell", "c1", 3, "ab12", "rank 0")
SOURCE_JSON: dict[str, Any] = {
    "uri": "file:///a.py",
    "kind": "cell",
    "cell_id": "c1",
    "execution_count": 3,
    "sha256": "ab12",
    "process": "rank 0",
}
ERROR = ProgramError("RuntimeError", "shapes do not fit")
ERROR_JSON: dict[str, Any] = {"type": "RuntimeError", "message": "shapes do not fit"}
REPORT = Report((SOURCE,), "error", ERROR, (OBSERVATION,), (FINDING,), (VERDICT,), GRADIENTS, 812)
REPORT_JSON: dict[str, Any] = {
    "schema": 1,
    "sources": [SOURCE_JSON],
    "status": "error",
    "error": ERROR_JSON,
    "observations": [OBSERVATION_JSON],
    "findings": [FINDING_JSON],
    "verdicts": [VERDICT_JSON],
    "gradients": GRADIENTS_JSON,
    "elapsed_us": 812,
}

FULL: list[tuple[Record, dict[str, Any]]] = [
    (SPAN, SPAN_JSON),
    (SPEC, SPEC_JSON),
    (OBSERVATION, OBSERVATION_JSON),
    (OPERAND, OPERAND_JSON),
    (CONFLICT, CONFLICT_JSON),
    (EDIT, EDIT_JSON),
    (FIX, FIX_JSON),
    (FINDING, FINDING_JSON),
    (VERDICT, VERDICT_JSON),
    (ROOT, ROOT_JSON),
    (ENTRY, ENTRY_JSON),
    (GRAPH, GRAPH_JSON),
    (GRADIENTS, GRADIENTS_JSON),
    (SOURCE, SOURCE_JSON),
    (ERROR, ERROR_JSON),
    (REPORT, REPORT_JSON),
]
BARE_ONES: list[tuple[Record, dict[str, Any]]] = [
    (BARE, BARE_JSON),
    (Operand("x", None, BARE), {"expression": "x", "span": None, "spec": BARE_JSON}),
    (Conflict(1, None, "dtype", "int64"), {"operand": 1, "dim": None, "what": "dtype", "value": "int64"}),
    (Fix("t", (), None, "abstract"), {"title": "t", "edits": [], "result": None, "confirmed": "abstract"}),
    (BARE_FINDING, BARE_FINDING_JSON),
    (
        Observation("X", "result", SPAN, None, BARE),
        {
            "target": "X",
            "role": "result",
            "span": SPAN_JSON,
            "scope": None,
            "spec": BARE_JSON,
            "count": 1,
            "exact": True,
            "earlier": [],
        },
    ),
    (
        Verdict("f", None, "verified"),
        {
            "function": "f",
            "span": None,
            "status": "verified",
            "reason": None,
            "findings": [],
            "observations": [],
            "elapsed_ms": 0.0,
        },
    ),
    (GradientRoot("L", BARE, None), {"target": "L", "spec": BARE_JSON, "span": None}),
    (
        GradientEntry("b", BARE, None, None, ()),
        {
            "target": "b",
            "spec": BARE_JSON,
            "reached": None,
            "gradient_shape": None,
            "summed_dims": [],
            "because": [],
        },
    ),
    (GradientReport((), ()), {"roots": [], "entries": [], "cuts": [], "graph": None}),
    (
        Source("<source>", "script"),
        {
            "uri": "<source>",
            "kind": "script",
            "cell_id": None,
            "execution_count": None,
            "sha256": "",
            "process": None,
        },
    ),
    (
        Report(()),
        {
            "schema": 1,
            "sources": [],
            "status": "ok",
            "error": None,
            "observations": [],
            "findings": [],
            "verdicts": [],
            "gradients": None,
            "elapsed_us": 0,
        },
    ),
]
CASES = FULL + BARE_ONES


def name_of(value: Any) -> str:
    return type(value).__name__ if isinstance(value, Record) else ""


def test_every_public_record_has_a_case_in_this_table() -> None:
    public = {kind for _, kind in inspect.getmembers(records, inspect.isclass) if issubclass(kind, Record)}
    assert {type(record) for record, _ in FULL} == public - {Record}


@pytest.mark.parametrize(("record", "expected"), CASES, ids=name_of)
def test_the_json_form_has_every_listed_key_in_order_and_null_where_there_is_none(
    record: Record, expected: dict[str, Any]
) -> None:
    read_back = json.loads(record.to_json())
    assert read_back == expected
    assert list(read_back) == list(expected)


@pytest.mark.parametrize(("record", "expected"), CASES, ids=name_of)
def test_a_record_reads_itself_back(record: Record, expected: dict[str, Any]) -> None:
    assert type(record).from_json(json.dumps(expected)) == record


def with_unknown_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {"of_version_2": [1, {"a": None}], **{key: with_unknown_keys(entry) for key, entry in value.items()}}
    return [with_unknown_keys(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("record", "expected"), CASES, ids=name_of)
def test_keys_that_a_reader_does_not_know_are_ignored_at_every_level(record: Record, expected: dict[str, Any]) -> None:
    assert type(record).from_json(json.dumps(with_unknown_keys(expected))) == record


def key_cases() -> Iterator[Any]:
    for record, expected in FULL:
        for key in expected:
            yield pytest.param(type(record), expected, key, id=f"{type(record).__name__}.{key}")


@pytest.mark.parametrize(("kind", "expected", "key"), list(key_cases()))
def test_a_missing_key_is_one_error_that_names_record_and_key(
    kind: type[Record], expected: dict[str, Any], key: str
) -> None:
    cut = {name: value for name, value in expected.items() if name != key}
    with pytest.raises(RecordError) as caught:
        kind.from_json(json.dumps(cut))
    assert str(caught.value) == f"{kind.__name__}: the key {key!r} is missing"


WRONG = {"str": 3, "int": True, "float": "4", "bool": 1, "list": {"0": 1}, "dict": [1]}


def wrong_values() -> Iterator[Any]:
    for record, expected in FULL:
        for key, value in expected.items():
            wrong = 1.5 if (type(record), key) == (Conflict, "value") else WRONG[type(value).__name__]
            yield pytest.param(type(record), expected, key, wrong, id=f"{type(record).__name__}.{key}")


@pytest.mark.parametrize(("kind", "expected", "key", "wrong"), list(wrong_values()))
def test_a_key_of_a_wrong_type_is_one_error_that_names_record_key_and_what_was_given(
    kind: type[Record], expected: dict[str, Any], key: str, wrong: Any
) -> None:
    with pytest.raises(RecordError) as caught:
        kind.from_json(json.dumps({**expected, key: wrong}))
    message = str(caught.value)
    assert message.startswith(f"{kind.__name__}: the key {key!r} must be ")
    assert message.endswith(f", got {type(wrong).__name__}")


@pytest.mark.parametrize(
    ("record", "key", "entries"),
    [
        (SPEC, "shape", [1.5]),
        (SPEC, "shape", [True]),
        (SPEC, "shape", [None]),
        (SPEC, "dims", [1]),
        (SPEC, "traits", [["layout"]]),
        (SPEC, "traits", [["layout", 1]]),
        (SPEC, "traits", ["ab"]),
        (SPEC, "traits", [{"a": 1, "b": 2}]),
        (SPEC, "items", [["k"]]),
        (SPEC, "items", [3]),
        (SPEC, "items", [[0, BARE_JSON]]),
        (FINDING, "because", [1]),
        (FINDING, "because", [None]),
        (FINDING, "silent_when", [["B"]]),
        (FINDING, "silent_when", [["B", None]]),
        (ENTRY, "summed_dims", [0.5]),
        (ENTRY, "summed_dims", ["0"]),
        (ENTRY, "summed_dims", [True]),
        (ENTRY, "gradient_shape", [[5]]),
        (ENTRY, "because", [{}]),
        (GRAPH, "nodes", [["n0", "label"]]),
        (GRAPH, "nodes", [[0, "label", None]]),
        (GRAPH, "edges", [["n0", "n1", 5]]),
        (GRAPH, "edges", [["n0", 1, None]]),
    ],
    ids=lambda value: name_of(value) or str(value)[:30],
)
def test_an_entry_of_a_wrong_type_is_one_error_that_names_record_and_key(
    record: Record, key: str, entries: list[Any]
) -> None:
    expected = dict(next(form for kind, form in FULL if kind is record))
    with pytest.raises(RecordError, match=f"^{type(record).__name__}: an entry of '{key}' is malformed"):
        type(record).from_json(json.dumps({**expected, key: entries}))


@pytest.mark.parametrize(
    ("record", "key", "entries", "message"),
    [
        (REPORT, "observations", [3], "Observation: expected a JSON object, got int"),
        (REPORT, "sources", [{}], "Source: the key 'uri' is missing"),
        (SPEC, "items", [["k", []]], "Spec: expected a JSON object, got list"),
    ],
)
def test_a_broken_record_within_a_record_names_the_inner_one(
    record: Record, key: str, entries: list[Any], message: str
) -> None:
    expected = dict(next(form for kind, form in FULL if kind is record))
    with pytest.raises(RecordError) as caught:
        type(record).from_json(json.dumps({**expected, key: entries}))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "Span: not JSON ("),
        ("{", "Span: not JSON ("),
        ("[]", "Span: expected a JSON object, got list"),
        ("null", "Span: expected a JSON object, got NoneType"),
        ('"x"', "Span: expected a JSON object, got str"),
    ],
)
def test_a_text_that_is_no_json_object_is_a_record_error(text: str, start: str) -> None:
    with pytest.raises(RecordError) as caught:
        Span.from_json(text)
    assert str(caught.value).startswith(start)
    assert isinstance(caught.value, (ShapeguardError, ValueError))


@pytest.mark.parametrize("schema", [0, 2, 99])
def test_another_schema_is_refused_with_both_numbers(schema: int) -> None:
    with pytest.raises(RecordError) as caught:
        Report.from_json(json.dumps({**REPORT_JSON, "schema": schema}))
    assert str(caught.value) == f"Report: schema {schema} is not the 1 that this shapeguard reads; use a newer one"


@pytest.mark.parametrize("record", [record for record, _ in FULL], ids=name_of)
def test_a_record_is_frozen_slotted_and_holds_no_dict(record: Record) -> None:
    name = dataclasses.fields(record)[0].name  # type: ignore[arg-type]  # every record is a dataclass
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, getattr(record, name))
    assert not hasattr(record, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(record, "not_a_field", 1)


@pytest.mark.parametrize("record", [record for record, _ in FULL], ids=name_of)
def test_a_record_is_hashable_since_everything_in_it_is_immutable(record: Record) -> None:
    assert hash(record) == hash(type(record).from_json(record.to_json()))


def test_the_json_form_is_one_line_without_spaces_and_keeps_what_is_not_ascii() -> None:
    assert Edit(SPAN, "形 = é\n").to_json() == (
        '{"span":{"source":0,"line":3,"column":0,"end_line":3,"end_column":1},"text":"形 = é\\n"}'
    )


@pytest.mark.parametrize(("name", "value"), [("layout", "sparse_coo"), ("local_shape", "[2, 4]"), ("len", None)])
def test_a_trait_is_found_by_its_name(name: str, value: str | None) -> None:
    assert SPEC.trait(name) == value


def test_the_kinds_are_those_of_the_protocol() -> None:
    assert records.KINDS == ("tensor", "array", "container", "module", "scalar", "other")
    assert records.MIME_TYPE == "application/vnd.shapeguard.v1+json"


@pytest.mark.parametrize("method", [operator.methodcaller("as_json"), operator.methodcaller("to_json")])
def test_the_base_record_has_no_form_of_its_own(method: Any) -> None:
    with pytest.raises(TypeError, match="Record"):
        method(Record())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\n\n", ["a", ""]),
        ("a\nb", ["a", "b"]),
        ("a\r\nb\rc\n", ["a", "b", "c"]),
        ("a\fb\x0bc\x1cd\x85e\u2028f\u2029g", ["a\fb\x0bc\x1cd\x85e\u2028f\u2029g"]),
    ],
)
def test_lines_end_where_python_ends_them(text: str, lines: list[str]) -> None:
    assert lines_of(text) == lines
