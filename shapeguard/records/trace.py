"""What was seen while code ran."""

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
        return {
            "target": self.target,
            "role": self.role,
            "span": self.span.as_json(),
            "scope": self.scope,
            "spec": self.spec.as_json(),
            "count": self.count,
            "exact": self.exact,
            "earlier": [spec.as_json() for spec in self.earlier] if self.earlier else [],
        }

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
