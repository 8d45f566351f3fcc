"""What is wrong, where, and what would work."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from shapeguard.records.codec import Fields, Json, Record, Size, pair_of_texts, text_of
from shapeguard.records.source import Span
from shapeguard.records.spec import Spec

Severity: TypeAlias = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Operand(Record):
    """One operand of the expression that failed, as written."""

    expression: str
    span: Span | None
    spec: Spec

    def as_json(self) -> dict[str, Json]:
        return {
            "expression": self.expression,
            "span": None if self.span is None else self.span.as_json(),
            "spec": self.spec.as_json(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.text("expression"), fields.optional_record("span", Span), fields.record("spec", Spec))


@dataclass(frozen=True, slots=True)
class Conflict(Record):
    """One side of a clash: dim 1 of operand 0 has size 64."""

    operand: int
    """Index into `Finding.operands`."""
    dim: int | None
    """Counted from the left; None where the conflict is not about one dim."""
    what: str
    """size | ndim | numel | dtype | device | index | value | attribute"""
    value: Size

    def as_json(self) -> dict[str, Json]:
        return {"operand": self.operand, "dim": self.dim, "what": self.what, "value": self.value}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.integer("operand"), fields.optional_integer("dim"), fields.text("what"), fields.size("value"))


@dataclass(frozen=True, slots=True)
class Edit(Record):
    """One text edit: `text` takes the place of `span`."""

    span: Span
    text: str

    def as_json(self) -> dict[str, Json]:
        return {"span": self.span.as_json(), "text": self.text}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.record("span", Span), fields.text("text"))


@dataclass(frozen=True, slots=True)
class Fix(Record):
    """A repair that was run."""

    title: str
    edits: tuple[Edit, ...]
    result: Spec | None
    """What the repaired expression gives."""
    confirmed: str
    """real: ran on copies with the real kernels; abstract: ran on fake tensors"""

    def as_json(self) -> dict[str, Json]:
        return {
            "title": self.title,
            "edits": [edit.as_json() for edit in self.edits],
            "result": None if self.result is None else self.result.as_json(),
            "confirmed": self.confirmed,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("title"),
            fields.records("edits", Edit),
            fields.optional_record("result", Spec),
            fields.text("confirmed"),
        )


@dataclass(frozen=True, slots=True)
class Finding(Record):
    """Something wrong, in the user's own words."""

    rule: str
    """Stable, documented id, such as `guard-size`."""
    severity: str
    """error | warning | information"""
    message: str
    span: Span | None = None
    expression: str | None = None
    operands: tuple[Operand, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    fixes: tuple[Fix, ...] = ()
    """Best first."""
    where: str | None = None
    """Module path or guarded function, if inside one."""
    because: tuple[str, ...] = ()
    """Further lines, each one sentence."""
    silent_when: tuple[tuple[str, str], ...] = ()
    """Names of dims whose equality would have hidden the mistake."""

    def as_json(self) -> dict[str, Json]:
        return {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "span": None if self.span is None else self.span.as_json(),
            "expression": self.expression,
            "operands": [operand.as_json() for operand in self.operands],
            "conflicts": [conflict.as_json() for conflict in self.conflicts],
            "fixes": [fix.as_json() for fix in self.fixes],
            "where": self.where,
            "because": list(self.because),
            "silent_when": [list(names) for names in self.silent_when],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("rule"),
            fields.text("severity"),
            fields.text("message"),
            fields.optional_record("span", Span),
            fields.optional_text("expression"),
            fields.records("operands", Operand),
            fields.records("conflicts", Conflict),
            fields.records("fixes", Fix),
            fields.optional_text("where"),
            fields.sequence("because", text_of),
            fields.sequence("silent_when", pair_of_texts),
        )
