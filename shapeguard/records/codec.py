"""JSON for the records: one form each, written by hand because `dataclasses.asdict` costs 20 µs a report."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Self, TypeAlias, TypeVar, cast

from shapeguard.errors import RecordError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Size: TypeAlias = int | str
"""The extent of one dim: an int, or a string where it is symbolic or jagged ("s26", "j1")."""

T = TypeVar("T")


class Record:
    """Base of the records: `to_json` and `from_json` over the two methods that each record writes by hand."""

    __slots__ = ()

    def as_json(self) -> dict[str, Json]:
        """The record as a JSON object; every key of the wire format is there, null where there is no value."""
        raise TypeError(type(self).__name__)

    @classmethod
    def read(cls, fields: "Fields") -> Self:
        """The record that `fields` describe; keys that it does not know are ignored."""
        raise TypeError(cls.__name__, fields)

    def to_json(self) -> str:
        """The record as one line of JSON.

        >>> Span(source=0, line=3, column=0, end_line=3, end_column=1).to_json()
        '{"source":0,"line":3,"column":0,"end_line":3,"end_column":1}'
        """
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The record that `text` holds.

        Raises:
            RecordError: `text` is no JSON object, or a key is missing or of a wrong type; the message names the key.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            message = f"{cls.__name__}: not JSON ({error})"
            raise RecordError(message) from None
        return cls.read(Fields(cls.__name__, data))


R = TypeVar("R", bound=Record)


def maker(kind: type[R]) -> Callable[..., R]:
    """A faster constructor of one kind of record, for those made by the hundred: all fields, by position.

    A frozen dataclass sets each field through `object.__setattr__`, which is most of its cost. This one fills an
    unfrozen twin with the same slots and then makes it the record that it is, at a third of the time.
    """
    names = [field.name for field in fields(cast(Any, kind))]
    twin: Any = type(kind.__name__, (Record,), {"__slots__": tuple(names)})
    lines = [f"def make({', '.join(names)}):", "    made = new(twin)"]
    lines += [f"    made.{name} = {name}" for name in names]
    lines += ["    made.__class__ = kind", "    return made"]
    space: dict[str, Any] = {"new": object.__new__, "twin": twin, "kind": kind}
    exec("\n".join(lines), space)  # noqa: S102  of nothing but the names of a record's fields
    make: Callable[..., R] = space["make"]
    return make


class Fields:
    """Typed access to the keys of one JSON object; what is missing or mistyped is a RecordError that names it."""

    __slots__ = ("_data", "_record")

    def __init__(self, record: str, data: object) -> None:
        if not isinstance(data, Mapping):
            message = f"{record}: expected a JSON object, got {type(data).__name__}"
            raise RecordError(message)
        self._record = record
        self._data = data

    def _get(self, key: str, *types: type) -> Any:
        try:
            value = self._data[key]
        except KeyError:
            message = f"{self._record}: the key {key!r} is missing"
            raise RecordError(message) from None
        # A bool is an int to isinstance, and a front end's own kind of dict is a dict.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
            message = f"{self._record}: the key {key!r} must be {wanted}, got {type(value).__name__}"
            raise RecordError(message)
        return value

    def text(self, key: str) -> str:
        """A string."""
        return str(self._get(key, str))

    def optional_text(self, key: str) -> str | None:
        """A string or null."""
        value = self._get(key, str, type(None))
        return None if value is None else str(value)

    def integer(self, key: str) -> int:
        """An integer."""
        return int(self._get(key, int))

    def optional_integer(self, key: str) -> int | None:
        """An integer or null."""
        value = self._get(key, int, type(None))
        return None if value is None else int(value)

    def number(self, key: str) -> float:
        """An integer or a fraction."""
        return float(self._get(key, int, float))

    def truth(self, key: str) -> bool:
        """A boolean."""
        return bool(self._get(key, bool))

    def optional_truth(self, key: str) -> bool | None:
        """A boolean or null."""
        value = self._get(key, bool, type(None))
        return None if value is None else bool(value)

    def size(self, key: str) -> Size:
        """An int or a string."""
        value: Size = self._get(key, int, str)
        return value

    def sequence(self, key: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        """An array, each entry turned by `read`."""
        return tuple(self._each(key, self._get(key, list), read))

    def optional_sequence(self, key: str, read: Callable[[Any], T]) -> tuple[T, ...] | None:
        """An array or null."""
        value = self._get(key, list, type(None))
        return None if value is None else tuple(self._each(key, value, read))

    def _each(self, key: str, values: list[Any], read: Callable[[Any], T]) -> list[T]:
        try:
            return [read(value) for value in values]
        except RecordError:
            raise
        except (TypeError, ValueError, IndexError) as error:
            message = f"{self._record}: an entry of {key!r} is malformed ({error})"
            raise RecordError(message) from None

    def record(self, key: str, kind: type[R]) -> R:
        """Another record."""
        return kind.read(Fields(kind.__name__, self._get(key, dict)))

    def optional_record(self, key: str, kind: type[R]) -> R | None:
        """Another record or null."""
        value = self._get(key, dict, type(None))
        return None if value is None else kind.read(Fields(kind.__name__, value))

    def records(self, key: str, kind: type[R]) -> tuple[R, ...]:
        """An array of records."""
        return self.sequence(key, lambda value: kind.read(Fields(kind.__name__, value)))


def size_of(value: Any) -> Size:
    """One size as it stands in JSON: an int or a string, nothing else."""
    if type(value) is int or type(value) is str:
        return value
    message = f"a size is an int or a string, not {type(value).__name__}"
    raise TypeError(message)


def text_of(value: Any) -> str:
    """One entry that must be a string: a number is no text of itself."""
    if type(value) is str:
        return value
    message = f"a string is wanted, not {type(value).__name__}"
    raise TypeError(message)


def integer_of(value: Any) -> int:
    """One entry that must be an integer; a boolean is none."""
    if type(value) is int:
        return value
    message = f"an integer is wanted, not {type(value).__name__}"
    raise TypeError(message)


def parts_of(value: Any) -> list[Any]:
    """The parts of one entry that is an array itself; a string would unpack into its characters."""
    if type(value) is list:
        return value
    message = f"an array is wanted, not {type(value).__name__}"
    raise TypeError(message)


def pair_of_texts(value: Any) -> tuple[str, str]:
    """Two strings, as in `traits` and `silent_when`."""
    first, second = parts_of(value)
    return text_of(first), text_of(second)
