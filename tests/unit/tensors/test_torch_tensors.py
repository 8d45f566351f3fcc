"""What is said of each sort of torch tensor, without reading it and without running anybody's code."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="every value here is a torch tensor")

from torch import nn  # noqa: E402  after the question whether torch is there
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from shapeguard import tensors  # noqa: E402
from shapeguard.records import Spec  # noqa: E402
from shapeguard.tensors import MISSING, describe, is_tensor, module_entry, static_attribute, version  # noqa: E402


def plain(shape: tuple[Any, ...] | None, dtype: str = "float32", **more: Any) -> Spec:
    """The Spec of an ordinary CPU leaf, with what is different about this one."""
    fields = {"device": "cpu", "requires_grad": False, "is_leaf": True, **more}
    return Spec("tensor", fields.pop("type", "torch.Tensor"), shape=shape, dtype=dtype, **fields)


def leaf() -> Any:
    return torch.zeros(3, 4, requires_grad=True)


def stale_view() -> Any:
    base = torch.zeros(4, 4, requires_grad=True) * 1
    view = base.split(2)[0]
    with torch.no_grad():
        base.add_(1)
    return view


GRAD = {"requires_grad": True, "is_leaf": False}
PARAMETER = "torch.nn.parameter.Parameter"
UNINITIALIZED = (("uninitialized", "its shape is not known before the first call"),)
DTYPES = [
    ("float16", 2), ("float32", 4), ("float64", 8), ("bfloat16", 2), ("complex64", 8), ("complex128", 16), ("int8", 1),
    ("int16", 2), ("int32", 4), ("int64", 8), ("uint8", 1), ("uint16", 2), ("uint32", 4), ("uint64", 8), ("bool", 1),
    ("float8_e4m3fn", 1),
]  # fmt: skip

CASES: dict[str, tuple[Callable[[], Any], Spec]] = {
    **{
        dtype: ((lambda dtype=dtype: torch.empty(2, 3, dtype=getattr(torch, dtype))), plain((2, 3), dtype, nbytes=6 * size))
        for dtype, size in DTYPES
    },
    "no dims": (lambda: torch.tensor(1.0), plain((), nbytes=4)),
    "no elements": (lambda: torch.zeros(2, 0, 3), plain((2, 0, 3), nbytes=0)),
    "leaf": (leaf, plain((3, 4), requires_grad=True, nbytes=48)),
    "sum": (lambda: leaf().sum(), plain((), **GRAD, grad_fn="SumBackward0", nbytes=4)),
    "product": (lambda: leaf() @ leaf().T, plain((3, 3), **GRAD, grad_fn="MmBackward0", nbytes=36)),
    "view": (lambda: leaf().T, plain((4, 3), **GRAD, grad_fn="PermuteBackward0", nbytes=48)),
    "expanded": (lambda: torch.zeros(1).expand(5), plain((5,), nbytes=20)),
    "detached": (lambda: leaf().sum().detach(), plain((), nbytes=4)),
    "parameter": (lambda: nn.Parameter(torch.zeros(2)), plain((2,), type=PARAMETER, requires_grad=True, nbytes=8)),
    "frozen parameter": (
        lambda: nn.Parameter(torch.zeros(2), requires_grad=False),
        plain((2,), type=PARAMETER, nbytes=8),
    ),
    "buffer": (lambda: nn.BatchNorm1d(3)._buffers["running_mean"], plain((3,), nbytes=12)),
    "meta": (lambda: torch.empty(10**6, 10**6, device="meta"), plain((10**6, 10**6), device="meta", nbytes=4 * 10**12)),
    "coo": (lambda: torch.eye(3).to_sparse(), plain((3, 3), traits=(("layout", "sparse_coo"),))),
    "csr": (lambda: torch.eye(3).to_sparse_csr(), plain((3, 3), traits=(("layout", "sparse_csr"),))),
    "nested strided": (
        lambda: torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(4, 3)]),
        plain(None, traits=(("unreadable", "shape"),)),
    ),
    "conjugated": (lambda: torch.zeros(3, dtype=torch.complex64).conj(), plain((3,), "complex64", nbytes=24)),
    "uninitialized parameter": (
        lambda: nn.LazyLinear(3).weight,
        plain(
            None,
            type="torch.nn.parameter.UninitializedParameter",
            requires_grad=True,
            device=None,
            traits=UNINITIALIZED,
        ),
    ),
    "uninitialized buffer": (
        nn.parameter.UninitializedBuffer,
        plain(
            None,
            type="torch.nn.parameter.UninitializedBuffer",
            device=None,
            traits=UNINITIALIZED,
        ),
    ),
    "view of a base that was changed": (
        stale_view,
        plain((2, 4), requires_grad=True, is_leaf=None, nbytes=32, traits=(("unreadable", "grad_fn, is_leaf"),)),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_tensor_is_described_and_alike_the_second_time(name: str) -> None:
    make, expected = CASES[name]
    value = make()
    assert describe(value) == expected
    assert describe(value) == expected


@pytest.mark.filterwarnings("ignore")
def test_a_quantized_tensor_is_described_by_its_storage() -> None:
    try:
        value = torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.quint8)
    except RuntimeError:
        pytest.skip("this build of torch has no quantized kernels")
    assert describe(value) == plain((3,), "quint8", nbytes=3)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_jagged_size_is_a_text() -> None:
    spec = describe(torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(4, 3)], layout=torch.jagged))
    assert spec.shape is not None
    assert (spec.shape[0], spec.shape[2], type(spec.shape[1])) == (2, 3, str)
    assert (spec.traits, spec.nbytes) == ((("layout", "jagged"),), None)


def test_symbolic_sizes_are_texts_and_reading_them_adds_no_condition() -> None:
    from torch._dynamo.source import ConstantSource  # noqa: PLC0415  slow to import, and only this test needs it
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415
    from torch.fx.experimental.symbolic_shapes import (  # noqa: PLC0415
        DimDynamic,
        ShapeEnv,
        StatelessSymbolicContext,
    )

    environment = ShapeEnv()
    context = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC, DimDynamic.STATIC])
    mode = FakeTensorMode(shape_env=environment)
    value = mode.from_tensor(torch.zeros(5, 6), source=ConstantSource("x"), symbolic_context=context)
    spec = describe(value)
    assert spec.shape == (str(value.shape[0]), 6)
    assert (spec.type, spec.dtype, spec.device, spec.nbytes) == (
        "torch._subclasses.fake_tensor.FakeTensor", "float32", "cpu", None,
    )  # fmt: skip
    assert environment.guards == []


def test_a_fake_tensor_has_the_device_that_it_stands_for() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415  slow to import

    with FakeTensorMode():
        assert describe(torch.zeros(3, device="cuda")).device == "cuda:0"


def test_within_vmap_a_tensor_is_described_per_example_and_within_grad_as_it_is() -> None:
    seen: list[Spec] = []

    def look(x: Any) -> Any:
        seen.append(describe(x))
        return x.sum()

    torch.vmap(look)(torch.zeros(4, 3))
    torch.func.grad(look)(torch.zeros(4, 3))
    assert [spec.shape for spec in seen] == [(3,), (4, 3)]


def test_an_inference_tensor_is_described_and_has_no_version() -> None:
    with torch.inference_mode():
        value = torch.zeros(3)
    assert describe(value) == plain((3,), nbytes=12)
    assert version(value) is None


def test_a_dtensor_tells_its_global_shape_its_local_one_and_its_placements() -> None:
    distributed = pytest.importorskip("torch.distributed", reason="not every build of torch has it")
    if not distributed.is_available():
        pytest.skip("this build of torch has no process groups")
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415  needs torch.distributed
    from torch.distributed.tensor import Shard, distribute_tensor  # noqa: PLC0415

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        value = distribute_tensor(torch.zeros(4, 6), init_device_mesh("cpu", (1,)), [Shard(0)])
        spec = describe(value)
    finally:
        distributed.destroy_process_group()
    assert spec.shape == (4, 6)
    assert spec.traits == (("local_shape", "[4, 6]"), ("placements", "(Shard(dim=0),)"))


def test_a_subclass_that_holds_a_local_tensor_tells_the_local_shape() -> None:
    class Sharded(torch.Tensor):  # type: ignore[misc,name-defined,unused-ignore]
        pass

    value = torch.zeros(8, 6).as_subclass(Sharded)
    value._local_tensor = torch.zeros(2, 6)
    assert describe(value).traits == (("local_shape", "[2, 6]"),)


def test_an_attribute_that_a_user_gave_one_tensor_says_nothing_of_the_others() -> None:
    value = torch.zeros(77)
    value._local_tensor = torch.zeros(5)
    assert describe(value) == plain((77,), nbytes=308)
    assert describe(torch.zeros(77)) == plain((77,), nbytes=308)


def hostile_class(ran: list[str]) -> type:
    def record(name: str) -> property:
        return property(lambda _self: ran.append(name))

    class Hostile(torch.Tensor):  # type: ignore[misc,name-defined,unused-ignore]
        shape = record("shape")
        dtype = record("dtype")
        device = record("device")
        grad_fn = record("grad_fn")
        requires_grad = record("requires_grad")
        is_leaf = record("is_leaf")
        layout = record("layout")
        _version = record("_version")
        _local_tensor = record("_local_tensor")

        @classmethod
        def __torch_function__(cls, func: Any, _types: Any, _args: Any = (), _kwargs: Any = None) -> Any:
            ran.append(str(func))
            return None

        def __getattr__(self, name: str) -> Any:
            ran.append(name)
            raise RuntimeError(name)

        def __len__(self) -> int:
            ran.append("len")
            return 0

        def __repr__(self, **_: Any) -> str:
            ran.append("repr")
            return ""

        def __eq__(self, other: object) -> Any:
            ran.append("eq")
            return False

        def __hash__(self) -> int:
            ran.append("hash")
            return 0

        def __bool__(self) -> bool:
            ran.append("bool")
            return False

    return Hostile


def test_no_attribute_of_a_users_subclass_runs(ran: list[str]) -> None:
    kind = hostile_class(ran)
    value = torch.Tensor._make_subclass(kind, torch.zeros(2, 3))
    ran.clear()
    spec = describe(value)
    assert (spec.shape, spec.dtype, spec.device, spec.requires_grad) == ((2, 3), "float32", "cpu", False)
    assert describe([value]).items[0][1] == spec
    assert version(value) == 0
    assert is_tensor(value)


def test_under_a_users_modes_nothing_of_them_runs() -> None:
    calls: list[str] = []

    class Functions(TorchFunctionMode):  # type: ignore[misc,unused-ignore]
        def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            calls.append(str(func))
            return func(*args, **(kwargs or {}))

    class Operations(TorchDispatchMode):  # type: ignore[misc,unused-ignore]
        def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            calls.append(str(func))
            return func(*args, **(kwargs or {}))

    values = [leaf(), leaf().sum(), torch.eye(2).to_sparse(), nn.Parameter(torch.zeros(2)), stale_view()]
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LazyLinear(4))
    with Functions(), Operations():
        for value in [*values, values, {"net": net}, net]:
            describe(value)
            version(value)
        module_entry(net, "0")
        assert calls == []
        torch.zeros(1)
    assert calls != []


def test_the_profiler_sees_no_event_of_a_description() -> None:
    values = [leaf(), leaf().sum(), nn.Linear(2, 3), [torch.zeros(2)], torch.eye(2).to_sparse()]
    with torch.profiler.profile() as profile:
        for value in values:
            describe(value)
    assert [event.name for event in profile.events() if event.name.startswith("aten")] == []
    with torch.profiler.profile() as profile:
        torch.zeros(1).add(1)
    assert [event.name for event in profile.events() if event.name.startswith("aten")] != []


def test_describing_keeps_nothing_alive() -> None:
    start = leaf()
    value = start.sum()
    # The graph behind `value` is what keeps `start` alive once its name is gone.
    graph, reference = weakref.ref(start), weakref.ref(value)
    described = describe({"k": [value]})
    del start
    assert graph() is not None
    del value
    assert (reference(), graph()) == (None, None)
    assert described.items


def test_describing_changes_neither_version_nor_random_state_nor_gradients() -> None:
    value = leaf()
    value.sum().backward()
    before = value._version, torch.get_rng_state(), value.grad
    describe(value)
    assert value._version == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert value.grad is before[2]


def test_a_tensor_that_was_changed_in_place_has_another_version() -> None:
    value = torch.zeros(3)
    assert version(value) == 0
    value.add_(1)
    assert version(value) == 1
    assert [version(other) for other in (None, 3, "x", [], torch.Tensor, nn.Linear(1, 1))] == [None] * 6


def test_tensors_that_are_alike_share_one_record() -> None:
    assert describe(torch.zeros(2, 3)) is describe(torch.ones(2, 3))
    assert describe(torch.zeros(2, 3)) is not describe(torch.zeros(2, 4))
    assert describe(torch.zeros(2)) != describe(nn.Parameter(torch.zeros(2)))


def test_what_is_shared_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MAX_INTERNED", 10)
    for size in range(25):
        assert describe(torch.zeros(size)).shape == (size,)
        assert len(tensors._interned) <= 10


def test_no_type_of_the_users_is_kept_by_what_is_shared() -> None:
    def look() -> weakref.ref[type]:
        class Mine(torch.Tensor):  # type: ignore[misc,name-defined,unused-ignore]
            pass

        value = torch.zeros(3).as_subclass(Mine)
        assert describe(value).type.endswith("Mine")
        return weakref.ref(Mine)

    import gc  # noqa: PLC0415  only classes need the collector

    reference = look()
    gc.collect()
    assert reference() is None
    assert tensors._interned == {}


def test_several_threads_may_describe_at_once() -> None:
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(size for size in range(300) if describe(torch.zeros(size)).shape != (size,))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- modules


def module_traits(value: Any) -> dict[str, str]:
    return dict(describe(value).traits)


def shared() -> Any:
    first = nn.Linear(2, 3)
    return nn.ModuleDict({"a": first, "b": first, "c": nn.Sequential(first)})


def tied() -> Any:
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    return net


def frozen() -> Any:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net[0].requires_grad_(requires_grad=False)
    return net


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "traits", "dtype", "nbytes"),
    [
        (lambda: nn.Linear(2, 3), {"parameters": "9", "trainable": "9", "dtypes": "float32"}, "float32", 36),
        (nn.ReLU, {"parameters": "0", "trainable": "0"}, None, 0),
        (shared, {"parameters": "9", "trainable": "9", "dtypes": "float32"}, "float32", 36),
        (tied, {"parameters": "9", "trainable": "9", "dtypes": "float32"}, "float32", 36),
        (frozen, {"parameters": "13", "trainable": "4", "dtypes": "float32"}, "float32", 52),
        (
            lambda: nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).half()),
            {"parameters": "4", "trainable": "4", "dtypes": "float16, float32"},
            None,
            12,
        ),
        (lambda: nn.LazyLinear(3), {"parameters": "0", "trainable": "0", "uninitialized": "2"}, None, 0),
        (lambda: nn.BatchNorm1d(3), {"parameters": "6", "trainable": "6", "dtypes": "float32"}, "float32", 24),
        (
            lambda: torch.jit.script(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))),
            {"parameters": "13", "trainable": "13", "dtypes": "float32"},
            "float32",
            52,
        ),
        (
            lambda: nn.ParameterList([torch.zeros(2)] * 9),
            {"parameters": "18", "trainable": "18", "dtypes": "float32", "omitted": "1"},
            "float32",
            72,
        ),
    ],
)
def test_a_module_counts_each_parameter_once(
    make: Callable[[], Any], traits: dict[str, str], dtype: str | None, nbytes: int
) -> None:
    spec = describe(make())
    assert (spec.kind, dict(spec.traits), spec.dtype, spec.nbytes) == ("module", traits, dtype, nbytes)


@pytest.mark.filterwarnings("ignore")
def test_a_script_module_counts_each_of_its_many_parameters() -> None:
    layers = [nn.Linear(2, 2, bias=False) for _ in range(40)]
    assert module_traits(torch.jit.script(nn.Sequential(*layers)))["parameters"] == "160"


def test_a_module_lists_its_own_parameters_buffers_and_children_three_levels_deep() -> None:
    net = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(2, 3))), nn.BatchNorm1d(3))
    spec = describe(net)
    assert [name for name, _ in spec.items] == ["0", "1"]
    assert [name for name, _ in spec.items[1][1].items] == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip
    deepest = spec.items[0][1].items[0][1]
    assert (deepest.items, deepest.trait("omitted"), deepest.trait("parameters")) == ((), "1", "9")


def test_the_names_of_entries_are_short_texts() -> None:
    net = nn.Module()
    net._parameters[3] = nn.Parameter(torch.zeros(1))  # type: ignore[index,unused-ignore]  # what a program may do
    net._parameters["x" * 100] = nn.Parameter(torch.zeros(1))
    assert [name for name, _ in describe(net).items] == ["3", "x" * 60]


def test_no_code_of_a_users_module_runs(ran: list[str]) -> None:
    class Net(nn.Module):  # type: ignore[misc,name-defined,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def parameters(self, *_: Any) -> Any:
            ran.append("parameters")
            return iter(())

        def __getattr__(self, name: str) -> Any:
            ran.append(name)
            return super().__getattr__(name)

        def __getattribute__(self, name: str) -> Any:
            ran.append(name)
            return super().__getattribute__(name)

        @property
        def shape(self) -> Any:
            ran.append("shape")
            return (1,)

    net = Net()
    ran.clear()
    assert module_traits(net)["parameters"] == "9"
    assert type(module_entry(net, "layer")) is nn.Linear
    assert static_attribute(net, "shape") is MISSING


@pytest.mark.parametrize(("count", "capped"), [(30, False), (31, True)])
def test_counting_stops_at_a_bound_and_says_so(monkeypatch: pytest.MonkeyPatch, count: int, *, capped: bool) -> None:
    monkeypatch.setattr(tensors, "MAX_PARAMETERS", 31)
    net = nn.Module()
    for index in range(count):
        net.register_parameter(f"p{index}", nn.Parameter(torch.zeros(2)))
    traits = module_traits(net)
    assert ("capped" in traits, traits["parameters"]) == (capped, "60")


@pytest.mark.parametrize(("count", "capped"), [(30, False), (31, True), (500, True)])
def test_modules_without_parameters_count_towards_the_bound(
    monkeypatch: pytest.MonkeyPatch, count: int, *, capped: bool
) -> None:
    monkeypatch.setattr(tensors, "MAX_PARAMETERS", 31)
    assert ("capped" in module_traits(nn.ModuleList([nn.ReLU() for _ in range(count)]))) is capped


def test_a_module_entry_is_a_parameter_buffer_or_child_by_its_name() -> None:
    net = nn.Sequential(nn.BatchNorm1d(3))
    assert module_entry(net, "0") is net[0]
    assert module_entry(net[0], "weight") is net[0].weight
    assert module_entry(net[0], "running_mean") is net[0].running_mean
    assert [module_entry(owner, name) for owner, name in [(net, "none"), (net, "training"), (3, "real"), ([], "0")]] == [
        MISSING,
    ] * 4  # fmt: skip


def test_a_parameter_that_is_none_is_an_entry_and_no_item() -> None:
    net = nn.Linear(2, 3, bias=False)
    assert module_entry(net, "bias") is None
    assert [name for name, _ in describe(net).items] == ["weight"]


def test_what_max_and_svd_give_has_the_names_of_its_fields() -> None:
    assert [key for key, _ in describe(torch.ones(3, 4).max(1)).items] == ["values", "indices"]
    assert [key for key, _ in describe(torch.linalg.svd(torch.ones(3, 4))).items] == ["U", "S", "Vh"]
