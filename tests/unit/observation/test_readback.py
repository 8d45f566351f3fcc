"""What a target holds is read back where that is free, and otherwise the part of it that can be read for free."""

import ast
from collections import OrderedDict, UserDict, defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shapeguard.observation.readback import read_target
from shapeguard.tensors import MISSING

ran: list[str] = []


class Properties:
    def __init__(self) -> None:
        self.free = 1
        self.__dict__["hidden"] = 2
        self.inner = {"k": 3}

    @property
    def hidden(self) -> int:
        ran.append("property")
        return 4

    def __getattr__(self, name: str) -> int:
        ran.append(name)
        return 5

    def method(self) -> None: ...

    constant = 6


class Watched(Properties):
    def __getattribute__(self, name: str) -> Any:
        ran.append(f"getattribute {name}")
        return super().__getattribute__(name)


class Slotted:
    __slots__ = ("empty", "x")

    def __init__(self) -> None:
        self.x = 7


@dataclass(slots=True)
class Record:
    w: int = 8


class Items:
    def __getitem__(self, key: object) -> int:
        ran.append("getitem")
        return 9


class LoudDict(dict[Any, Any]):
    def __getitem__(self, key: object) -> Any:
        ran.append("dict getitem")
        return super().__getitem__(key)


class LoudGet(dict[Any, Any]):
    def get(self, key: object, default: object = None) -> Any:
        ran.append("dict get")
        return super().get(key, default)

    def __missing__(self, key: object) -> Any:
        ran.append("missing")
        return 0


class LoudList(list[Any]):
    def __getitem__(self, key: Any) -> Any:
        ran.append("list getitem")
        return super().__getitem__(key)

    def __len__(self) -> int:
        ran.append("list len")
        return 0


class Stray:
    """Its attribute is a slot of another class, which does not apply to it."""

    stray = Slotted.x  # type: ignore[misc]  # a slot read from its class is the descriptor


class Disguised:
    def __init__(self) -> None:
        self.x = 27

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # what a proxy may do
        ran.append("__dict__")
        return {"x": 28}


NAMESPACE: dict[str, Any] = {
    "x": 1,
    "p": Properties(),
    "w": Watched(),
    "s": Slotted(),
    "r": Record(),
    "d": {"k": 10, 0: 11, (0, 1): 12, None: 13, "deep": {"k": [14, 15]}},
    "l": [16, 17],
    "t": (18, 19),
    "o": OrderedDict(k=20),
    "f": defaultdict(list, k=21),
    "u": UserDict(k=22),
    "i": 0,
    "k": "k",
    "n": SimpleNamespace(a=SimpleNamespace(b=23)),
    "items": Items(),
    "loud": LoudDict(k=24),
    "get": LoudGet(k=25),
    "louder": LoudList([26]),
    "array": np.zeros(3),
    "stray": Stray(),
    "disguised": Disguised(),
}


def target_of(source: str) -> Any:
    return ast.parse(source, mode="eval").body


def read(source: str) -> tuple[str, Any]:
    shown, value = read_target(target_of(source), NAMESPACE)
    return ast.unparse(shown), value


@pytest.fixture(autouse=True)
def nothing_ran() -> Any:
    ran.clear()
    yield
    assert ran == []


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x", 1),
        ("p.free", 1),
        ("p.constant", 6),
        ("p.inner['k']", 3),
        ("w.free", 1),
        ("s.x", 7),
        ("r.w", 8),
        ("d['k']", 10),
        ("d[0]", 11),
        ("d[i]", 11),
        ("d[k]", 10),
        ("d[0, 1]", 12),
        ("d[i, 1]", 12),
        ("d[None]", 13),
        ("d['deep']['k'][-1]", 15),
        ("l[0]", 16),
        ("l[1]", 17),
        ("l[-1]", 17),
        ("l[-2]", 16),
        ("o['k']", 20),
        ("f['k']", 21),
        ("n.a.b", 23),
        ("get['k']", 25),
    ],
)
def test_a_target_that_can_be_read_for_free_is_read(source: str, value: object) -> None:
    assert read(source) == (source, value)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        # what only a property, a descriptor or __getattr__ would give
        ("p.hidden", "p"),
        ("p.anything", "p"),
        ("p.method", "p"),
        ("w.hidden", "w"),
        ("s.empty", "s"),
        ("s.nothing", "s"),
        ("stray.stray", "stray"),
        ("disguised.x", "disguised"),
        # what only the user's __getitem__ would give
        ("items['k']", "items"),
        ("loud['k']", "loud"),
        ("louder[0]", "louder"),
        ("u['k']", "u"),
        # what is not there
        ("d['none']", "d"),
        ("f['none']", "f"),
        ("get['none']", "get"),
        ("l[2]", "l"),
        ("l[-3]", "l"),
        ("d['deep']['none'][0]", "d['deep']"),
        # keys that would have to be evaluated
        ("d[f()]", "d"),
        ("d[i + 0]", "d"),
        ("d[unknown]", "d"),
        ("d[i, unknown]", "d"),
        ("d[n]", "d"),
        ("l[0:1]", "l"),
        ("l['k']", "l"),
        ("l[True]", "l"),
        # an array's item would be a new array
        ("array[0]", "array"),
        ("array.T", "array"),
        ("n.a.c.d", "n.a"),
    ],
)
def test_of_any_other_target_the_longest_part_that_is_free_is_read(source: str, part: str) -> None:
    assert read(source) == read(part)
    assert read(source)[0] == part


@pytest.mark.parametrize("source", ["unknown", "unknown.a", "unknown[0]", "f().a", "f()[0]", "(a + b).c", "f().a.b"])
def test_of_a_target_whose_base_is_no_name_there_is_nothing_to_read(source: str) -> None:
    assert read_target(target_of(source), NAMESPACE)[1] is MISSING


def test_of_a_tensor_neither_attributes_nor_items_are_read_since_they_would_run_operations() -> None:
    torch = pytest.importorskip("torch", reason="whether a tensor is one is for torch to say")
    namespace = {"x": torch.zeros(3), "n": SimpleNamespace(w=torch.zeros(2))}
    for source, part in [("x.data", "x"), ("x[0]", "x"), ("x.grad", "x"), ("n.w[0]", "n.w"), ("n.w.data[0]", "n.w")]:
        shown, value = read_target(target_of(source), namespace)
        assert ast.unparse(shown) == part
        assert value is (namespace["x"] if part == "x" else namespace["n"].w)


def test_of_a_module_parameters_buffers_and_children_are_read_without_its_getattr() -> None:
    torch = pytest.importorskip("torch", reason="modules are torch's")

    class Loud(torch.nn.Module):  # type: ignore[misc,name-defined,unused-ignore]  # torch is untyped where it is missing
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 3)
            self.register_buffer("mean", torch.zeros(4))
            self.plain = 5

        def __getattr__(self, name: str) -> Any:
            ran.append(name)
            return super().__getattr__(name)

    net = Loud()
    ran.clear()
    entries = {"net.layer": net._modules["layer"], "net.mean": net._buffers["mean"], "net.plain": 5}
    for source, expected in entries.items():
        shown, value = read_target(target_of(source), {"net": net})
        assert (ast.unparse(shown), value is expected) == (source, True)
    assert ast.unparse(read_target(target_of("net.layer.weight"), {"net": net})[0]) == "net.layer.weight"
    assert ast.unparse(read_target(target_of("net.nothing"), {"net": net})[0]) == "net"
