"""What was seen while code ran."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from shapeguard.records.codec import Fields, Json, Record
from shapeguard.records.source import Span
from shapeguard.records.spec import Spec

Role: TypeAlias = Literal["binding", "result", "expression", "return", "yield"]


@dataclass(frozen=True, slots=True)
class Observation(Record):
    """One binding or result, as it was when its statement had run."""

    target: str
    """As written: `X`, `net.weight`, `cache['k']`, `Out[3]`."""
    role: str
    """binding | result | expression | return | yield"""
    span: Span
    """Of the target; of the expression for a result."""
    scope: str | None
    """None at top level, else the qualified function name."""
    spec: Spec
    count: int = 1
    exact: bool = True
    """False where only some of the runs of this place were watched."""
    earlier: tuple[Spec, ...] = ()
    """Distinct earlier Specs of the same place, oldest first, at most 4."""

    def as_json(self) -> dict[str, Json]:
        return observations_as_json((self,))[0]

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("target"),
            fields.text("role"),
            fields.record("span", Span),
            fields.optional_text("scope"),
            fields.record("spec", Spec),
            fields.integer("count"),
            fields.truth("exact"),
            fields.records("earlier", Spec),
        )


def observations_as_json(observations: Sequence[Observation]) -> list[dict[str, Json]]:
    """The observations of one report; values that are alike share one Spec, and here its JSON object too."""
    known: dict[int, dict[str, Json]] = {}
    objects = []
    for seen in observations:
        spec = known.get(id(seen.spec))
        if spec is None:
            spec = known[id(seen.spec)] = seen.spec.as_json()
        fields: dict[str, Json] = {
            "target": seen.target,
            "role": seen.role,
            "span": seen.span.as_json(),
            "scope": seen.scope,
            "spec": spec,
            "count": seen.count,
            "exact": seen.exact,
            "earlier": [earlier.as_json() for earlier in seen.earlier] if seen.earlier else [],
        }
        objects.append(fields)
    return objects
