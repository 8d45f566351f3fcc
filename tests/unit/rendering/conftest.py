"""One rich report, drawn in every form."""

import pytest

from shapeguard.records import Finding, Fix, Observation, ProgramError, Report, Source, Span, Spec


def at(line: int, column: int = 0, width: int = 1) -> Span:
    return Span(0, line, column, line, column + width)


def tensor(shape: tuple[int | str, ...] | None, dtype: str = "float32", **more: object) -> Spec:
    fields = {"device": "cpu", "requires_grad": False, "is_leaf": True, **more}
    return Spec("tensor", fields.pop("type", "torch.Tensor"), shape=shape, dtype=dtype, **fields)  # type: ignore[arg-type]  # a shorthand


def observed(target: str, spec: Spec, line: int = 1, role: str = "binding") -> Observation:
    return Observation(target, role, at(line, 0, len(target)), None, spec)


LINEAR = Spec(
    "module",
    "torch.nn.modules.linear.Linear",
    dtype="float32",
    nbytes=220,
    traits=(("parameters", "55"), ("trainable", "50"), ("dtypes", "float32")),
)


@pytest.fixture
def rich_report() -> Report:
    """Every kind of value and note that a cell may show, hostile names among them."""
    batch = Spec(
        "container",
        "dict",
        traits=(("len", "9"), ("omitted", "5")),
        items=(
            ("ids", tensor((6, 10), "int64")),
            ("<b>", tensor((6, 10), "bool")),
            (
                "parts",
                Spec(
                    "container", "list", traits=(("len", "3"),), items=tuple((str(i), tensor((2,))) for i in range(3))
                ),
            ),
            ("net", LINEAR),
        ),
    )
    observations = (
        observed("X", tensor((6, 10, 8), requires_grad=True), 1),
        observed("X", tensor((6, 10, 8), requires_grad=True, grad_fn="MulBackward0", is_leaf=False), 2),
        observed("形状", tensor(("s26", 3), "bfloat16"), 3),
        observed("e\u0301té", tensor((), "float64", device="cuda:0"), 4),
        observed("🧊", tensor((2, 3), "complex64", traits=(("layout", "sparse_coo"),)), 5),
        observed("W", tensor((5, 8), type="torch.nn.parameter.Parameter", requires_grad=True), 6),
        observed("lazy", tensor(None, type="torch.nn.parameter.UninitializedParameter", requires_grad=True), 7),
        observed("d['<script>alert(\"x\")</script> & co']", tensor((1,), "uint8"), 8),
        observed("A", Spec("array", "numpy.ndarray", shape=(3,), dtype="int64", nbytes=24), 9),
        observed("batch", batch, 10),
        observed("model", LINEAR, 11),
        observed("X.sum()", tensor((), requires_grad=True, grad_fn="SumBackward0", is_leaf=False), 12, "result"),
    )
    finding = Finding(
        "matmul-contraction",
        "error",
        "X @ W.T: dim 1 of X is <64> & dim 0 of W.T is 16",
        at(13),
        fixes=(Fix("multiply by W instead of W.T", (), None, "real"),),
        because=("W comes from model.",),
    )
    return Report(
        (Source("cell:c1", "cell", "c1", 3, "0" * 64),),
        "error",
        ProgramError("RuntimeError", "mat1 and mat2 shapes cannot be multiplied"),
        observations,
        (finding, Finding("hint", "information", "a & b", None)),
        elapsed_us=812,
    )
