"""What is said of arrays, containers and everything else, without running the user's code."""

import collections
import random
import sys
import types
import weakref
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from shapeguard.records import Spec
from shapeguard.settings import settings
from shapeguard.tensors import MISSING, describe, is_tensor_like, module_entry, static_attribute, type_name, version

A2 = Spec("array", "numpy.ndarray", shape=(2,), dtype="float64", nbytes=16)
TWO = np.zeros(2)


class Sub(np.ndarray):
    """Its shape is not the array's."""

    @property
    def shape(self) -> Any:  # type: ignore[override]
        raise AssertionError

    nbytes = dtype = shape  # type: ignore[assignment]


def like(module: str, **attributes: Any) -> Any:
    """A value of a class that a library in `module` defines, with properties as JAX and CuPy have them."""

    def getter(value: Any) -> property:
        def read(_self: object) -> Any:
            if isinstance(value, Exception):
                raise value
            return value

        return property(read)

    return type("Array", (), {"__module__": module, **{name: getter(value) for name, value in attributes.items()}})()


class Dtype:
    name = "float32"


ARRAYS: list[tuple[Any, Spec]] = [
    (np.zeros((2, 3), np.int64), Spec("array", "numpy.ndarray", shape=(2, 3), dtype="int64", nbytes=48)),
    (np.zeros(()), Spec("array", "numpy.ndarray", shape=(), dtype="float64", nbytes=8)),
    (np.zeros((0, 3), bool), Spec("array", "numpy.ndarray", shape=(0, 3), dtype="bool", nbytes=0)),
    (np.array(["ab"]), Spec("array", "numpy.ndarray", shape=(1,), dtype="<U2", nbytes=8)),
    (np.array([None]), Spec("array", "numpy.ndarray", shape=(1,), dtype="object", nbytes=8)),
    (
        np.zeros(2, [("a", "<i4")]),
        Spec("array", "numpy.ndarray", shape=(2,), dtype="[('a', '<i4')]", nbytes=8),
    ),
    (np.ma.zeros(3), Spec("array", "numpy.ma.MaskedArray", shape=(3,), dtype="float64", nbytes=24)),
    (np.zeros((2, 3)).view(Sub), Spec("array", f"{__name__}.Sub", shape=(2, 3), dtype="float64", nbytes=48)),
    (
        np.float32(1),
        # Scalars have a device since NumPy 2.
        Spec("array", "numpy.float32", (), dtype="float32", device=getattr(np.float32(1), "device", None), nbytes=4),
    ),
    (
        like("jaxlib._jax", shape=(2, 3), dtype=Dtype(), nbytes=24, device="TFRT_CPU_0"),
        Spec("array", "jaxlib._jax.Array", shape=(2, 3), dtype="float32", device="TFRT_CPU_0", nbytes=24),
    ),
    (
        like("cupy._core", shape=(2,), dtype="int8", nbytes=2, device=None),
        Spec("array", "cupy._core.Array", shape=(2,), dtype="int8", nbytes=2),
    ),
    (
        like("jaxlib._jax", shape=(2,), dtype="int8", nbytes=RuntimeError("deleted"), device=RuntimeError("deleted")),
        Spec("array", "jaxlib._jax.Array", shape=(2,), dtype="int8"),
    ),
    (
        types.SimpleNamespace(shape=(3, "n"), dtype="int8"),
        Spec("array", "types.SimpleNamespace", shape=(3, "n"), dtype="int8"),
    ),
]


@pytest.mark.parametrize(("value", "expected"), ARRAYS)
def test_an_array_is_described(value: Any, expected: Spec) -> None:
    # The module in which NumPy keeps a class is not the same in all its versions.
    spec = describe(value)
    assert spec == expected or (spec.type.endswith("MaskedArray") and spec.shape == expected.shape)


class RaisingClass:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError


class RaisingGetattr:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class RaisingGetattribute:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Frame:
    """Like pandas' DataFrame: a shape, and dtypes instead of a dtype."""

    shape = (3, 2)
    dtypes = ("int64", "float64")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


OTHERS: list[tuple[Any, str, str]] = [
    (3, "scalar", "int"),
    (True, "scalar", "bool"),
    (2.5, "scalar", "float"),
    (1j, "scalar", "complex"),
    (type("Count", (int,), {"__module__": "m"})(3), "scalar", "m.Count"),
    ("text", "other", "str"),
    (b"bytes", "other", "bytes"),
    (None, "other", "NoneType"),
    (..., "other", "ellipsis"),
    (range(3), "other", "range"),
    (np, "other", "module"),
    (np.ndarray, "other", "type"),
    (np.dtype("int8"), "other", type_name(type(np.dtype("int8")))),
    (Frame, "other", "type"),
    (Frame(), "other", f"{__name__}.Frame"),
    (Mock(), "other", "unittest.mock.Mock"),
    (MagicMock(), "other", "unittest.mock.MagicMock"),
    (RaisingClass(), "other", f"{__name__}.RaisingClass"),
    (RaisingGetattr(), "other", f"{__name__}.RaisingGetattr"),
    (RaisingGetattribute(), "other", f"{__name__}.RaisingGetattribute"),
    (like("lib", shape=[2, 3], dtype="int8"), "other", "lib.Array"),
    (like("lib", shape=(2, 3)), "other", "lib.Array"),
    (like("lib", shape=RuntimeError(), dtype="int8"), "other", "lib.Array"),
    (len, "other", "builtin_function_or_method"),
    (iter([TWO]), "other", "list_iterator"),
    ({1, 2}, "other", "set"),
    ([], "other", "list"),
    ([1, 2], "other", "list"),
    ({"a": 1}, "other", "dict"),
]


@pytest.mark.parametrize(
    ("value", "kind", "name"), OTHERS, ids=[f"{index} {name}" for index, (*_, name) in enumerate(OTHERS)]
)
def test_what_is_neither_tensor_nor_array_is_not_taken_for_one(value: Any, kind: str, name: str) -> None:
    spec = describe(value)
    assert (spec.kind, spec.type, spec.shape, is_tensor_like(spec)) == (kind, name, None, False)


Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024  the untyped form is the one that is tested


class Typed(NamedTuple):
    x: Any
    y: Any


@dataclass
class Plain:
    x: Any
    y: Any


@dataclass(slots=True)
class Slots:
    x: Any
    y: Any


class Output(OrderedDict[str, Any]):
    """Like the outputs of Hugging Face's models: an OrderedDict whose items are its fields."""

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError

    def items(self) -> Any:
        raise AssertionError


class Encoding(UserDict[str, Any]):
    """Like Hugging Face's BatchEncoding."""

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError


def moved() -> Any:
    ordered = OrderedDict(x=TWO, y=3)
    ordered.move_to_end("x")
    return ordered


@pytest.mark.parametrize(
    ("value", "name", "keys"),
    [
        ([TWO, 3], "list", ["0", "1"]),
        ((TWO, 3), "tuple", ["0", "1"]),
        ({"x": TWO, "y": 3}, "dict", ["x", "y"]),
        (OrderedDict(x=TWO, y=3), "collections.OrderedDict", ["x", "y"]),
        (defaultdict(list, x=TWO, y=3), "collections.defaultdict", ["x", "y"]),
        (UserDict(x=TWO, y=3), "collections.UserDict", ["x", "y"]),
        (Point(TWO, 3), f"{__name__}.Point", ["x", "y"]),
        (Typed(TWO, 3), f"{__name__}.Typed", ["x", "y"]),
        (Plain(TWO, 3), f"{__name__}.Plain", ["x", "y"]),
        (Slots(TWO, 3), f"{__name__}.Slots", ["x", "y"]),
        (Output(x=TWO, y=3), f"{__name__}.Output", ["x", "y"]),
        (Encoding({"x": TWO, "y": 3}), f"{__name__}.Encoding", ["x", "y"]),
        ({0: TWO, None: 3}, "dict", ["0", "None"]),
        ({(1, 2): TWO, "k" * 99: 3}, "dict", ["<tuple>", "k" * 60]),
    ],
)
def test_a_container_lists_its_entries(value: Any, name: str, keys: list[str]) -> None:
    assert describe(value) == Spec(
        "container", name, traits=(("len", "2"),), items=((keys[0], A2), (keys[1], Spec("scalar", "int")))
    )


def test_a_dict_whose_order_was_changed_still_lists_its_entries() -> None:
    assert sorted(key for key, _ in describe(moved()).items) == ["x", "y"]


@pytest.mark.parametrize(
    ("length", "listed", "omitted"), [(7, 7, None), (8, 8, None), (9, 8, "1"), (100_000, 8, "99992")]
)
def test_of_a_long_container_the_first_entries_are_listed_and_the_rest_counted(
    length: int, listed: int, omitted: str | None
) -> None:
    for value in ([TWO] * length, dict.fromkeys(range(length), TWO)):
        spec = describe(value)
        assert (len(spec.items), spec.trait("len"), spec.trait("omitted")) == (listed, str(length), omitted)


def test_the_work_of_a_description_does_not_grow_with_the_container() -> None:
    def steps(value: object) -> int:
        count = 0

        def profile(*_: object) -> None:
            nonlocal count
            count += 1

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            describe(value)
        finally:
            sys.setprofile(before)
        return count

    for make in (dict, OrderedDict, UserDict, lambda pairs: list(dict(pairs).values())):
        small, large = (make((str(i), TWO) for i in range(length)) for length in (100, 100_000))
        assert steps(large) == steps(small)


def test_the_number_of_entries_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "items", 2)
    assert len(describe([TWO] * 5).items) == 2
    monkeypatch.setattr(settings, "items", 0)
    assert describe([TWO] * 5).kind == "other"


def test_containers_within_containers_are_described_three_levels_deep() -> None:
    spec = describe([TWO, [TWO, [TWO, [TWO]]]])
    third = spec.items[1][1].items[1][1]
    assert third.items[0][1] == A2
    assert third.items[1][1] == Spec("container", "list", traits=(("omitted", "too deep"),))


def test_a_container_that_holds_itself_ends() -> None:
    cyclic: list[Any] = [TWO]
    cyclic.append(cyclic)
    both: dict[str, Any] = {"a": TWO}
    both["b"] = [both]
    for value in (cyclic, both):
        depth, spec = 0, describe(value)
        while spec.items:
            depth, spec = depth + 1, spec.items[-1][1]
        assert (depth, dict(spec.traits)["omitted"]) == (3, "too deep")


def test_a_dataclass_whose_field_was_never_set_leaves_it_out() -> None:
    value = object.__new__(Plain)
    value.x = TWO
    assert describe(value).items == (("x", A2),)
    assert describe(value).trait("omitted") == "1"


class Loud(dict[Any, Any]):
    """Everything that a dict can be asked is overridden."""


class LoudList(list[Any]):
    """And of a list."""


class LoudTuple(tuple[Any, ...]):
    """And of a tuple."""

    __slots__ = ()


@pytest.mark.parametrize("kind", [Loud, LoudList, LoudTuple, Output])
def test_no_method_of_a_users_container_runs(kind: type, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    value = kind({"x": TWO}) if issubclass(kind, dict) else kind([TWO])

    def record(name: str) -> Callable[..., Any]:
        def method(*_: object) -> Any:
            ran.append(name)
            raise RuntimeError(name)

        return method

    for name in (
        "__iter__",
        "__len__",
        "__getitem__",
        "__contains__",
        "__eq__",
        "__getattribute__",
        "__bool__",
        "__repr__",
        "__hash__",
    ):
        monkeypatch.setattr(kind, name, record(name), raising=False)
    for name in ("items", "keys", "values", "get"):
        monkeypatch.setattr(kind, name, record(name), raising=False)
    spec = describe(value)
    monkeypatch.undo()
    assert [entry for _, entry in spec.items] == [A2]


class Key:
    def __init__(self, ran: list[str]) -> None:
        self.ran = ran
        self.quiet = False

    def __hash__(self) -> int:
        if self.quiet:
            self.ran.append("hash")
        return 1

    def __repr__(self) -> str:
        self.ran.append("repr")
        return "key"

    def __eq__(self, other: object) -> bool:
        self.ran.append("eq")
        return self is other


@pytest.mark.parametrize("kind", [dict, OrderedDict, defaultdict])
def test_no_method_of_a_users_key_runs(kind: Any, ran: list[str]) -> None:
    key = Key(ran)
    value = kind()
    value[key] = TWO
    key.quiet = True
    assert describe(value).items == ((f"<{__name__}.Key>", A2),)
    key.quiet = False


def test_no_property_of_a_class_of_the_program_itself_runs(ran: list[str]) -> None:
    def loud(_self: object) -> Any:
        ran.append("property")
        return (1,)

    kind = type("Mine", (), {"__module__": "__main__", "shape": property(loud), "dtype": property(loud)})
    assert describe(kind()) == Spec("other", "__main__.Mine")


def hostile_values() -> Iterator[Any]:
    """Objects that refuse, in every combination of two, what may be asked of an object."""

    def refuse(*_: object, **__: object) -> Any:
        raise RuntimeError

    names = ["__getattribute__", "__getattr__", "__class__", "__dict__", "__len__", "__iter__", "__eq__", "__hash__",
             "__repr__", "__str__", "__bool__", "shape", "dtype", "nbytes", "device", "_fields", "data", "keys",
             "__dataclass_fields__", "__get__", "__instancecheck__", "__module__", "__slots__"]  # fmt: skip
    bases: list[tuple[type, ...]] = [
        (),
        (dict,),
        (list,),
        (tuple,),
        (str,),
        (int,),
        (UserDict,),
        (Exception,),
        (np.ndarray,),
    ]
    rng = random.Random(0)  # noqa: S311  nothing here is secret
    for _ in range(400):
        chosen = rng.sample(names, rng.randint(1, 4))
        body: dict[str, Any] = {}
        for name in chosen:
            body[name] = rng.choice([refuse, property(refuse), (1, 2), 3, None, ("a", object())])
        base = rng.choice(bases)
        try:
            kind = type("Hostile", base, body)
            yield kind.__new__(kind, 1) if base == (np.ndarray,) else kind.__new__(kind)
        except (TypeError, ValueError, RuntimeError):
            continue


def test_describe_answers_with_a_record_that_can_travel_whatever_it_is_given() -> None:
    values = list(hostile_values())
    assert len(values) > 200
    for value in values:
        for given in (value, [value, TWO], {"k": value, "a": TWO}):
            spec = describe(given)
            assert Spec.from_json(spec.to_json()) == spec
        assert version(value) is None
        assert module_entry(value, "shape") is MISSING
        static_attribute(value, "shape")


def test_describing_keeps_nothing_alive() -> None:
    class Thing:
        pass

    thing = Thing()
    array = np.zeros(3)
    references = [weakref.ref(thing), weakref.ref(array)]
    described = describe([thing, array])
    del thing, array
    assert [reference() for reference in references] == [None, None]
    assert described.kind == "container"


class Descriptor:
    """A descriptor without `__set__`, which an instance attribute outweighs."""

    def __get__(self, _owner: object, _kind: type) -> Any:
        raise AssertionError


class Owner:
    constant = 1
    described = Descriptor()

    def __init__(self) -> None:
        self.x = TWO
        self.held = Descriptor()

    @property
    def computed(self) -> Any:
        raise AssertionError


ATTRIBUTES: list[tuple[Any, str, bool]] = [
    (Owner(), "constant", True),
    (Owner(), "x", True),
    (Owner(), "held", True),
    (Owner(), "computed", False),
    (Owner(), "described", False),
    (Owner(), "__init__", False),
    (Owner(), "nothing", False),
    (Slots(1, 2), "x", True),
    (object.__new__(Slots), "x", False),
    (Owner, "constant", True),
    (Owner, "computed", False),
    (types.SimpleNamespace(a=1), "a", True),
    (sys, "version", True),
    (Mock(), "anything", False),
    (RaisingGetattribute(), "x", False),
    (RaisingClass(), "x", False),
    (3, "real", False),
    (None, "x", False),
]


@pytest.mark.parametrize(("owner", "name", "found"), ATTRIBUTES, ids=map(str, range(len(ATTRIBUTES))))
def test_an_attribute_is_read_only_where_that_runs_nobodys_code(owner: Any, name: str, *, found: bool) -> None:
    assert (static_attribute(owner, name) is not MISSING) is found


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (int, "int"),
        (collections.OrderedDict, "collections.OrderedDict"),
        (Owner, f"{__name__}.Owner"),
        (type("X", (), {"__module__": 3}), "X"),
        (type("X", (), {"__module__": "a.b", "__qualname__": "f.<locals>.X"}), "a.b.f.<locals>.X"),
    ],
)
def test_a_type_is_named_by_its_module_and_qualified_name(kind: type, name: str) -> None:
    assert type_name(kind) == name


@pytest.mark.parametrize(
    ("spec", "worth"),
    [
        (Spec("tensor", "t"), True),
        (Spec("array", "t"), True),
        (Spec("module", "t"), True),
        (Spec("scalar", "t"), False),
        (Spec("other", "t"), False),
        (Spec("container", "t"), False),
        (Spec("container", "t", items=(("k", Spec("scalar", "t")),)), False),
        (Spec("container", "t", items=(("k", Spec("container", "t", items=(("k", A2),))),)), True),
    ],
)
def test_what_is_worth_a_row(spec: Spec, *, worth: bool) -> None:
    assert is_tensor_like(spec) is worth


def test_no_metaclass_and_no_class_property_of_the_user_is_asked() -> None:
    asked: list[str] = []

    class Meta(type):
        def __getattr__(cls, name: str) -> Any:
            asked.append(name)
            raise RuntimeError(name)

    class Odd(metaclass=Meta):
        @property
        def __class__(self) -> type:
            asked.append("__class__")
            return dict

    class Box:
        pass

    box = Box()
    box.odd = Odd()  # type: ignore[attr-defined]
    assert static_attribute(box, "odd") is box.odd  # type: ignore[attr-defined]
    assert describe(Odd()).kind == "other"
    assert describe([Odd()]).kind == "other"
    assert asked == []
