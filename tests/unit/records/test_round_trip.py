"""Whatever a record holds, its JSON form reads back as the same record."""

from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
)

specs = st.deferred(
    lambda: st.builds(
        Spec,
        **{name: strategy for name, strategy in plain_fields(Spec).items() if name != "items"},
        items=st.lists(st.tuples(st.text(), specs), max_size=2).map(tuple),
    )
)


def plain_fields(kind: type[Record]) -> dict[str, st.SearchStrategy[Any]]:
    hints = get_type_hints(kind)
    return {field.name: strategy_of(hints[field.name]) for field in fields(kind)}  # type: ignore[arg-type]  # dataclasses


def strategy_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of one annotation of a record: tuples stay short, since records nest five deep."""
    if isinstance(hint, type) and issubclass(hint, Record):
        return records_of(hint)
    arguments = getattr(hint, "__args__", ())
    if getattr(hint, "__origin__", None) is tuple and arguments[-1] is Ellipsis:
        return st.lists(strategy_of(arguments[0]), max_size=2).map(tuple)
    if getattr(hint, "__origin__", None) is tuple:
        return st.tuples(*map(strategy_of, arguments))
    if arguments:
        return st.one_of(*map(strategy_of, arguments))
    if hint is float:
        return st.floats(allow_nan=False)
    return st.from_type(hint)


@cache
def records_of(kind: type[Record]) -> st.SearchStrategy[Any]:
    return specs if kind is Spec else st.deferred(lambda: st.builds(kind, **plain_fields(kind)))


@pytest.mark.parametrize(
    "kind",
    [
        Span,
        Source,
        Spec,
        Observation,
        Operand,
        Conflict,
        Edit,
        Fix,
        Finding,
        Verdict,
        GradientRoot,
        GradientEntry,
        Graph,
        GradientReport,
        ProgramError,
        Report,
    ],
)
def test_every_record_reads_back_from_its_json_as_itself(kind: type[Record]) -> None:
    @settings(max_examples=25, deadline=None)
    @given(records_of(kind))
    def round_trip(record: Record) -> None:
        again = kind.from_json(record.to_json())
        assert again == record
        assert again.to_json() == record.to_json()

    round_trip()
