"""What the generated checks must not get wrong: each test names one way to be fast and wrong."""

# ruff: noqa: F722, F821, ARG001

import linecache
import traceback
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int, Shaped, print_bindings
from torch import Tensor, nn

from shapeguard import settings
from shapeguard.enforcement import TypeCheckError, guard
from shapeguard.enforcement.plan import Plan


def f32(*shape: int) -> Tensor:
    return torch.zeros(shape)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which slow paths were taken."""
    taken: list[str] = []
    for name in ("judge", "leave"):
        real = getattr(Plan, name)

        def spy(self: Plan, *args: Any, name: str = name, real: Any = real) -> Any:
            taken.append(name)
            return real(self, *args)

        monkeypatch.setattr(Plan, name, spy)
    return taken


def plain(x: Float[Tensor, "b d"], y: Float[Tensor, "d"]) -> Float[Tensor, "b d"]:
    return x * y


def optional(
    x: Float[Tensor, "b"] | None, k: int = 2, *, y: Int[Tensor, "b"] | None = None
) -> Float[Tensor, "b"] | None:
    return x


def dots(x: Float[Tensor, "... 3"], y: Shaped[Tensor, "2 ... d"], z: Float[np.ndarray, "d _"]) -> None: ...


def pairs(x: tuple[Float[Tensor, "a"], int]) -> tuple[int, Float[Tensor, "a"]]:
    return x[1], x[0]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, (f32(2, 3), f32(3)), {}),
        (plain, (f32(0, 3), nn.Parameter(f32(3))), {}),
        (plain, (f32(2, 3).double(), f32(3).half()), {}),
        (optional, (None,), {}),
        (optional, (f32(3),), {"y": None}),
        (optional, (f32(3), True), {"y": torch.zeros(3, dtype=torch.int32)}),
        (dots, (f32(3), f32(2, 4), np.zeros((4, 1))), {}),
        (dots, (f32(1, 1, 3), f32(2, 9, 9, 4), np.zeros((4, 1), np.float32)), {}),
        (pairs, ((f32(3), 1),), {}),
    ],
)
def test_what_the_generated_checks_cover_never_asks_the_checkers(
    function: Any, args: Any, kwargs: Any, judged: list[str]
) -> None:
    guard(function)(*args, **kwargs)
    assert judged == []


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (plain, (f32(2, 3), f32(4))),
        (plain, (f32(2, 3), f32(3).long())),
        (plain, (f32(2, 3, 4), f32(3))),
        (optional, (f32(3), "k")),
        (optional, (f32(3, 3),)),
        (dots, (f32(3), f32(3, 4), np.zeros((4, 1)))),
        (dots, (f32(3), f32(2), np.zeros((4, 1)))),
        (dots, (f32(3), f32(2, 4), np.zeros((4, 1), np.int64))),
        (pairs, ((f32(3), 1, 1),)),
        (pairs, ([f32(3), 1],)),
    ],
)
def test_every_refusal_is_the_checkers(function: Any, args: Any, judged: list[str]) -> None:
    with pytest.raises(TypeCheckError):
        guard(function)(*args)
    assert judged == ["judge"]


def test_a_subclass_is_judged_by_the_checkers_since_it_may_override_its_shape(judged: list[str]) -> None:
    class Liar(Tensor):
        shape = (2, 3)  # type: ignore[assignment]

    guard(plain)(torch.zeros(7, 3).as_subclass(Liar), f32(3))
    assert judged[0] == "judge"


def test_the_body_sees_the_sizes_of_its_own_call_and_not_of_one_that_was_refused_within(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @guard
    def f(x: Float[Tensor, "n"], inner: Any = None) -> Float[Tensor, "n"]:
        if inner is None:
            return x.new_zeros(9)
        with pytest.raises(TypeCheckError):
            f(inner)
        print_bindings()
        return x

    f(f32(3), f32(5))
    assert "n=3" in capsys.readouterr().out


def test_names_keep_the_size_they_had_at_entry_when_the_body_resizes(capsys: pytest.CaptureFixture[str]) -> None:
    @guard
    def f(x: Float[Tensor, "n"]) -> None:
        x.resize_(7)
        print_bindings()

    with pytest.raises(TypeCheckError, match=r"^f\(x\), when the body had run"):
        f(f32(3))
    assert "n=3" in capsys.readouterr().out


def test_names_of_parameters_may_be_names_that_a_check_would_use() -> None:
    @guard
    def f(  # noqa: PLR0913
        type: Float[Tensor, "len"],  # noqa: A002
        len: Float[Tensor, "len"],  # noqa: A002
        Tensor: int,  # noqa: N803
        isinstance: str,  # noqa: A002
        out: int = 3,
        *args: Any,
        self: int = 1,
        **kwargs: Any,
    ) -> int:
        return out + self

    assert f(f32(2), f32(2), 1, "a") == 4
    with pytest.raises(TypeCheckError, match="dim 0 of len is 3"):
        f(f32(2), f32(3), 1, "a")


def test_a_parameter_with_one_of_our_own_names_is_left_to_the_checkers() -> None:
    @guard
    def f(_sg: Float[Tensor, "n"], _sg_out: int = 3) -> int:
        return _sg_out

    assert f(f32(2), 5) == 5
    with pytest.raises(TypeCheckError, match="ndim of _sg is 2"):
        f(f32(2, 2))


@pytest.mark.parametrize("call", [lambda f: f(), lambda f: f(1, 2, 3), lambda f: f(1, 2, 3, 4), lambda f: f(1, z=2)])
def test_a_call_that_does_not_fit_the_signature_is_pythons_own_error(call: Any) -> None:
    @guard
    def f(x: int, y: int = 0) -> int:
        return x + y

    with pytest.raises(TypeError, match=r"^.*f\(\)|^guarded\(\)") as caught:
        call(f)
    assert not isinstance(caught.value, TypeCheckError)


def test_a_default_is_read_when_the_call_is_made() -> None:
    def f(x: int, y: int = 1, *, z: int = 2) -> int:
        return x + y + z

    guarded = guard(f)
    assert guarded(0) == 3
    f.__defaults__, f.__kwdefaults__ = (10,), {"z": 20}
    assert guarded(0) == 30
    assert guarded(0, z=0) == 10


def test_the_setting_switches_guards_off_and_on_between_calls() -> None:
    guarded = guard(plain)
    settings.change("guard", "off")
    try:
        assert guarded(f32(2, 1), f32(3)).shape == (2, 3)
    finally:
        settings.reset(["guard"])
    with pytest.raises(TypeCheckError):
        guarded(f32(2, 1), f32(3))


def test_the_generated_code_can_be_read_in_a_traceback() -> None:
    @guard
    def f(x: Float[Tensor, "n"]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        f(f32(2))
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames][1:] == ["guarded", "f"]
    assert "function(" in (frames[1].line or "")
    assert linecache.getline(frames[1].filename, 1).startswith("def guarded(x, _sg):")


def test_an_error_of_torch_in_the_body_is_told_what_the_sizes_are_called() -> None:
    @guard
    def inner(x: Float[Tensor, "b d"], w: Float[Tensor, "k e"]) -> Float[Tensor, "b e"]:
        return x @ w

    @guard
    def outer(x: Float[Tensor, "n d"], w: Any) -> Any:
        return inner(x, w)

    with pytest.raises(RuntimeError) as caught:
        outer(f32(2, 3), f32(4, 5))
    assert caught.value.__notes__ == ["shapeguard: in inner(): b=2, d=3, k=4, e=5"]


@pytest.mark.parametrize("error", [ValueError, NotImplementedError, RecursionError])
def test_other_errors_of_the_body_get_no_note(error: type[Exception]) -> None:
    @guard
    def f(x: Float[Tensor, "n"]) -> None:
        raise error

    with pytest.raises(error) as caught:
        f(f32(2))
    assert not hasattr(caught.value, "__notes__")
