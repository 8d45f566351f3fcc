"""How a value is written in the fewest words."""

import pytest

from shapeguard.notation import SHORT_DTYPES, brief, shape_text
from shapeguard.records import Size, Spec

SHORT = [
    ("float16", "f16"),
    ("float32", "f32"),
    ("float64", "f64"),
    ("bfloat16", "bf16"),
    ("complex32", "c32"),
    ("complex64", "c64"),
    ("complex128", "c128"),
    ("int8", "i8"),
    ("int16", "i16"),
    ("int32", "i32"),
    ("int64", "i64"),
    ("uint8", "u8"),
    ("uint16", "u16"),
    ("uint32", "u32"),
    ("uint64", "u64"),
    ("bool", "bool"),
]


def tensor(shape: tuple[Size, ...] | None, dtype: str | None = "float32", **more: object) -> Spec:
    return Spec("tensor", "torch.Tensor", shape=shape, dtype=dtype, **more)  # type: ignore[arg-type]  # a shorthand


def test_this_table_holds_every_dtype_that_has_a_short_name() -> None:
    assert dict(SHORT) == SHORT_DTYPES


@pytest.mark.parametrize(("dtype", "short"), SHORT)
def test_a_dtype_with_a_short_name_is_written_by_it(dtype: str, short: str) -> None:
    assert brief(tensor((2, 3), dtype)) == f"{short}[2, 3]"


@pytest.mark.parametrize("dtype", ["quint8", "float8_e4m3fn", "<U3", "object", "[('a', '<i4')]"])
def test_a_dtype_without_one_is_written_in_full(dtype: str) -> None:
    assert brief(tensor((2,), dtype)) == f"{dtype}[2]"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (tensor(()), "f32[]"),
        (tensor((0,)), "f32[0]"),
        (tensor((6,)), "f32[6]"),
        (tensor((6, 10, 8)), "f32[6, 10, 8]"),
        (tensor(("s26", 3)), "f32[s26, 3]"),
        (tensor((3, "j1", 8)), "f32[3, j1, 8]"),
        (tensor((6, 10), dims=("B", None)), "f32[B=6, 10]"),
        (tensor(("s0", 10), dims=("B", "T")), "f32[B=s0, T=10]"),
        (tensor((2,), None), "?[2]"),
        (tensor(None), "Tensor"),
        (Spec("tensor", "torch.nn.parameter.UninitializedParameter", dtype="float32"), "UninitializedParameter"),
        (Spec("array", "numpy.ndarray", shape=(3,), dtype="int64"), "i64[3]"),
        (Spec("container", "dict", traits=(("len", "2"),)), "dict of 2"),
        (Spec("container", "collections.OrderedDict", traits=(("len", "0"),)), "OrderedDict of 0"),
        (Spec("container", "list", traits=(("omitted", "too deep"),)), "list of …"),
        (Spec("module", "torch.nn.modules.linear.Linear", dtype="float32"), "Linear"),
        (Spec("scalar", "float"), "float"),
        (Spec("other", "main.f.<locals>.C"), "C"),
    ],
)
def test_a_value_is_written_as(spec: Spec, expected: str) -> None:
    assert brief(spec) == expected


@pytest.mark.parametrize(
    ("shape", "dims", "expected"),
    [
        ((), None, "[]"),
        (None, None, "[]"),
        ((1,), None, "[1]"),
        ((1, 2), (None, None), "[1, 2]"),
        ((6, 10), ("B", "T"), "[B=6, T=10]"),
        ((6, "j1"), ("B", None), "[B=6, j1]"),
    ],
)
def test_a_shape_is_written_as(
    shape: tuple[Size, ...] | None, dims: tuple[str | None, ...] | None, expected: str
) -> None:
    assert shape_text(tensor(shape, dims=dims)) == expected
