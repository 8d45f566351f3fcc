"""Guards under torch.compile, export, make_fx and function transforms."""

# ruff: noqa: F722, F821, ARG001

import threading
from collections.abc import Callable
from typing import Annotated, Any

import pytest
import torch
from beartype.vale import Is
from jaxtyping import Float
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

from shapeguard.enforcement import TypeCheckError, guard


def _linear(x: Tensor, w: Tensor) -> Tensor:
    return linear(x, w)


def f32(*shape: int) -> Tensor:
    return torch.randn(shape)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    torch._dynamo.reset()


@guard
def linear(
    x: Float[Tensor, "b d"], w: Float[Tensor, "d e"], bias: Float[Tensor, "e"] | None = None
) -> Float[Tensor, "b e"]:
    product = x @ w
    return product if bias is None else product + bias


@guard
def scaled(x: Float[Tensor, "... d"], by: float = 2.0, *, offset: Float[Tensor, "#d"]) -> Float[Tensor, "... d"]:
    return x * by + offset


@guard
def nested(x: Float[Tensor, "b d"], w: Float[Tensor, "d e"]) -> Float[Tensor, "b e"]:
    return linear(scaled(x, offset=x.new_ones(1)), w)


@guard
class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(f32(4, 8) / 4)
        self.second = nn.Parameter(f32(8, 1) / 4)

    def forward(self, x: Float[Tensor, "b 4"]) -> Float[Tensor, "b 1"]:
        return linear(torch.relu(linear(x, self.first)), self.second)


@pytest.mark.parametrize("function", [linear, nested])
def test_one_graph_serves_the_first_batch_size_and_one_more_all_others(function: Callable[..., Any]) -> None:
    counter = CompileCounter()
    compiled = torch.compile(function, fullgraph=True, backend=counter)
    for batch in (2, 3, 5, 7):
        x, w = f32(batch, 4), f32(4, 5)
        torch.testing.assert_close(compiled(x, w), function(x, w))
    assert counter.frame_count <= 2


def test_a_guard_adds_no_graph_to_those_of_the_function_without_it() -> None:
    counts = []
    for function in (nested, lambda x, w: (x * 2.0 + x.new_ones(1)) @ w):
        counter = CompileCounter()
        compiled = torch.compile(function, fullgraph=True, backend=counter)
        for batch in (2, 3, 5, 7):
            compiled(f32(batch, 4), f32(4, 5))
        counts.append((counter.frame_count, counter.op_count))
    assert counts[0] == counts[1]


def test_sixty_four_guarded_functions_stay_below_the_recompile_limit() -> None:
    def make(power: int) -> Callable[[Tensor], Tensor]:
        @guard
        def f(x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
            return x + power

        return f

    functions = [make(power) for power in range(64)]

    @torch.compile(fullgraph=True, backend="eager")
    def together(x: Tensor) -> Tensor:
        for function in functions:
            x = function(x)
        return x

    x = f32(3)
    torch.testing.assert_close(together(x), x + sum(range(64)))
    for function in functions:
        torch.compile(function, fullgraph=True, backend="eager")(f32(3))


WRONG: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (linear, (f32(2, 6), f32(4, 5)), "linear(w): dim 0 of w is 4, but d is 6, bound by x dim 1"),
    (linear, (f32(2, 4, 1), f32(4, 5)), 'linear(x): ndim of x is 3, expected 2 ("b d")'),
    (linear, (f32(2, 4), f32(4, 5).long()), "linear(w): dtype of w is int64, which its annotation does not admit"),
    (linear, (f32(2, 4), f32(4, 5), f32(6)), "linear(bias): dim 0 of bias is 6, but e is 5, bound by w dim 1"),
]


@pytest.mark.parametrize(("function", "args", "text"), WRONG)
def test_a_misfit_in_the_graph_is_told_in_our_words_within_whatever_dynamo_raises(
    function: Callable[..., Any], args: Any, text: str
) -> None:
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    compiled(f32(2, 4), f32(4, 5))
    with pytest.raises(Exception) as caught:  # noqa: PT011  Dynamo's own, which differs between versions
        compiled(*args)
    assert text in str(caught.value)


@pytest.mark.parametrize(("function", "args", "text"), WRONG)
def test_without_fullgraph_the_error_is_the_guards_own(function: Callable[..., Any], args: Any, text: str) -> None:
    compiled = torch.compile(function, backend="eager")
    compiled(f32(2, 4), f32(4, 5))
    with pytest.raises(TypeCheckError) as caught:
        compiled(*args)
    assert str(caught.value).startswith(text.partition(", which its")[0].partition(" (")[0])


def test_what_the_graph_cannot_check_is_skipped_there_and_refused_outside() -> None:
    @guard
    def f(
        x: Annotated[Float[Tensor, "n"], Is[lambda x: bool((x > 0).all())]], y: Float[Tensor, "*b n"]
    ) -> Float[Tensor, "2*n"]:
        return torch.cat([x, x])

    bad = -torch.ones(3)
    assert torch.compile(f, fullgraph=True, backend="eager")(bad, f32(2, 4)).shape == (6,)
    with pytest.raises(TypeCheckError):
        f(bad, f32(2, 3))


def test_an_omitted_argument_is_compiled_apart_from_one_that_is_given() -> None:
    @guard
    def f(x: Float[Tensor, "n"], y: Float[Tensor, "n"] | None = None, z: Float[Tensor, "n"] | None = None) -> Tensor:
        return x + (0 if y is None else y) + (0 if z is None else 2 * z)

    compiled = torch.compile(f, fullgraph=True, backend="eager")
    one = torch.ones(2)
    calls = [
        ((one,), {}),
        ((one, one), {}),
        ((one,), {"z": one}),
        ((one, None, one), {}),
        ((one, one, one), {}),
        ((one,), {}),
    ]
    assert [compiled(*args, **kwargs)[0].item() for args, kwargs in calls] == [1, 2, 3, 3, 4, 1]


def test_a_guarded_network_trains_under_fullgraph() -> None:
    torch.manual_seed(0)
    network = Network()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    x = f32(16, 4)
    y = x.sum(1, keepdim=True)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (compiled(x) - y).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("strict", [True, False])
def test_a_guarded_network_can_be_exported_with_a_dynamic_batch(strict: bool) -> None:  # noqa: FBT001
    network = Network()
    dim = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(network, (f32(3, 4),), dynamic_shapes={"x": {0: dim}}, strict=strict)
    x = f32(7, 4)
    torch.testing.assert_close(program.module()(x), network(x))


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx_traces_through_guards(mode: str) -> None:
    graph = make_fx(nested, tracing_mode=mode)(f32(3, 4), f32(4, 5))
    x, w = f32(3, 4), f32(4, 5)
    torch.testing.assert_close(graph(x, w), nested(x, w))


def test_transforms_see_the_shapes_of_one_example() -> None:
    w = f32(4, 5)
    batch = f32(6, 3, 4)
    assert torch.vmap(lambda x: linear(x, w))(batch).shape == (6, 3, 5)
    assert torch.func.grad(lambda x: linear(x, w).sum())(f32(3, 4)).shape == (3, 4)
    _, tangent = torch.func.jvp(lambda x: linear(x, w), (f32(3, 4),), (f32(3, 4),))
    assert tangent.shape == (3, 5)
    with pytest.raises(TypeCheckError):
        torch.vmap(lambda x: linear(x, w))(f32(6, 3, 5))


def test_autocast_checkpointing_and_jit_trace_work_as_without_guards() -> None:
    x, w = f32(3, 4).requires_grad_(), f32(4, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, w).dtype is torch.bfloat16
    result = checkpoint(linear, x, w, use_reentrant=False)
    assert isinstance(result, Tensor)
    result.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    traced = torch.jit.trace(_linear, (f32(3, 4), w))  # type: ignore[no-untyped-call]
    assert traced(f32(3, 4), w).shape == (3, 5)


def test_replicas_in_threads_check_each_its_own_call() -> None:
    network = Network()
    outcomes: list[str] = []

    def work(width: int) -> None:
        for _ in range(200):
            try:
                network(f32(2, width))
            except TypeCheckError:
                outcomes.append("refused")
            else:
                outcomes.append("accepted")

    threads = [threading.Thread(target=work, args=(4 + index % 2,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] * 400 + ["refused"] * 400
