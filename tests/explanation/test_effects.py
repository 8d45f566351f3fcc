"""An explanation changes nothing, calls nobody, keeps nothing, and a fault in it changes nothing either."""

import builtins
import gc
import os
import re
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipython_ext
from shapeguard import annotate, explain
from shapeguard.explanation import bounds, confirmation, copies, engine, failure, layers, operation, reading
from shapeguard.explanation.bounds import Deadline, TooLarge, admit
from shapeguard.records import Finding
from tests.explanation.cases import execute, namespace
from tests.explanation.corpus_tuned import TUNED
from tests.transports.conftest import Notebook, new_shell


def failing(function: Callable[[], Any]) -> BaseException:
    with pytest.raises((RuntimeError, TypeError, IndexError, ValueError)) as caught:
        function()
    return caught.value


def explained(function: Callable[[], Any]) -> Finding:
    finding = explain(failing(function))
    assert finding is not None
    return finding


def test_the_random_stream_is_where_it_was() -> None:
    def product() -> Any:
        return torch.randn(3, 4) @ torch.randn(3, 4) + F.dropout(torch.ones(3))

    F = nn.functional  # noqa: N806  the name everybody gives it
    error = failing(product)
    before = torch.get_rng_state()
    assert explain(error) is not None
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_of_the_user_is_where_it_was() -> None:
    generator = torch.Generator().manual_seed(3)
    error = failing(lambda: torch.randn(3, 4, generator=generator) @ torch.zeros(3))
    before = generator.get_state()
    explain(error)
    assert torch.equal(generator.get_state(), before)


def test_tensors_keep_their_version_gradient_and_values() -> None:
    w = torch.ones(3, requires_grad=True)
    w.grad = torch.full((3,), 2.0)
    total, row = torch.zeros(3), torch.ones(2, 3)

    def step() -> None:
        w.sub_(0.1 * w.grad)

    def accumulate() -> None:
        nonlocal total
        total += row

    for function in (step, accumulate):
        error = failing(function)
        versions = [tensor._version for tensor in (w, w.grad, total, row)]
        assert explained(function).fixes
        assert explain(error) is not None
        assert [tensor._version for tensor in (w, w.grad, total, row)] == versions
    assert w.tolist() == [1.0] * 3
    assert w.grad.tolist() == [2.0] * 3
    assert total.tolist() == [0.0] * 3


def test_batch_norm_keeps_its_counters_and_a_layer_its_mode() -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    model(torch.randn(8, 4))

    def forward() -> Any:
        return model(torch.randn(8, 3, 4))

    error = failing(forward)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert explain(error) is not None
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert all(layer.training for layer in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_statements_after_the_failure_are_tried_on_copies_only() -> None:
    code = (
        "import numpy as np\nlog = torch.zeros(2, 2)\narray = np.zeros((2, 2))\nX = torch.ones(2, 3)\n"
        "Y = X @ X\nlog += Y\nlog.add_(Y)\nlog[0] = 7\ntorch.from_numpy(array).add_(Y)\n"
    )
    space, error = execute(code, "<later statements>")
    assert error is not None
    finding = explain(error)
    assert finding is not None
    assert finding.fixes
    assert space["log"].sum() == 0
    assert space["log"]._version == 0
    assert space["array"].sum() == 0


CALLED: list[str] = []


class Custom(nn.Module):
    """Code of the user's that says when it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        CALLED.append("forward")
        return self.inner(x)

    def __getattr__(self, name: str) -> Any:
        CALLED.append(f"getattr {name}")
        return super().__getattr__(name)

    @property
    def scale(self) -> Any:
        CALLED.append("property")
        return torch.ones(3)


def custom(x: Any) -> Any:
    CALLED.append("custom")
    return x


class Loud(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        CALLED.append("torch_function")
        return super().__torch_function__(func, types, args, kwargs or {})


class Holder:
    def __getattribute__(self, name: str) -> Any:
        CALLED.append(f"getattribute {name}")
        return super().__getattribute__(name)

    def __getitem__(self, index: Any) -> Any:
        CALLED.append("getitem")
        return torch.ones(4)

    def __eq__(self, other: object) -> bool:
        CALLED.append("eq")
        return True

    def __hash__(self) -> int:
        CALLED.append("hash")
        return 1

    def __len__(self) -> int:
        CALLED.append("len")
        return 2

    def __repr__(self) -> str:
        CALLED.append("repr")
        return "Holder()"


MODEL, HOLDER, LOUD, X = Custom(), Holder(), torch.ones(2, 3).as_subclass(Loud), torch.ones(2, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda: MODEL(X),
        lambda: custom(X) @ X,
        lambda: X + MODEL.scale @ X,
        lambda: LOUD @ LOUD,
        lambda: X @ HOLDER[0],
        lambda: X @ HOLDER,
        lambda: torch.cat([X, custom(torch.ones(3, 4))]),
        lambda: [custom(row) @ X for row in X],
    ],
)
def test_no_code_of_the_user_is_called(function: Callable[[], Any]) -> None:
    error = failing(function)
    CALLED.clear()
    explain(error)
    assert CALLED == []


def test_a_hook_is_not_called() -> None:
    layer = nn.Linear(4, 2)
    layer.register_forward_hook(lambda *_: CALLED.append("hook"))
    error = failing(lambda: layer(X))
    CALLED.clear()
    finding = explain(error)
    assert finding is not None
    assert CALLED == []


def test_no_file_is_opened_for_writing_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    original = builtins.open

    def watching(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        opened.append(mode)
        return original(file, mode, *args, **kwargs)

    errors = [execute(case.code, f"<{case.name}>")[1] for case in TUNED]
    capfd.readouterr()
    monkeypatch.setattr(builtins, "open", watching)
    for error in errors:
        assert error is not None
        explain(error)
    assert not [mode for mode in opened if set(mode) & set("wax+")]
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    assert capfd.readouterr() == ("", "")


def test_nothing_of_the_user_is_kept_alive() -> None:
    def fail() -> tuple[BaseException, list[Any]]:
        x, w = torch.ones(2, 3), nn.Linear(4, 2)
        refs = [weakref.ref(x), weakref.ref(w)]
        try:
            w(x)
        except RuntimeError as error:
            return error, refs
        raise AssertionError

    error, refs = fail()
    finding = explain(error)
    assert finding is not None
    assert finding.fixes == () or finding.fixes
    del error
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


# --- faults


PLACES = [
    (engine, "locate"),
    (engine, "operation_of"),
    (engine, "diagnosis_of"),
    (engine, "attempts"),
    (engine, "laboratory"),
    (engine, "_finding"),
    (failure, "source_of"),
    (operation, "failing_layer"),
    (confirmation, "edited"),
    (confirmation, "describe"),
    (copies.Copies, "taken"),
    (reading.Reader, "value"),
    (layers, "_path"),
    (bounds, "admit"),
]


@pytest.mark.parametrize(("owner", "name"), PLACES, ids=[name for _, name in PLACES])
@pytest.mark.parametrize("fault", [RuntimeError("fault"), RecursionError(), MemoryError(), AttributeError("no")])
def test_a_fault_leaves_the_traceback_as_it_was(
    owner: Any, name: str, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise fault

    error = failing(lambda: torch.ones(2, 3) @ torch.ones(2, 3))
    before = "".join(traceback.format_exception(error))
    monkeypatch.setattr(owner, name, broken)
    explain(error)
    monkeypatch.undo()
    assert "".join(traceback.format_exception(error)) == before
    assert error.__context__ is None
    assert not hasattr(error, "__notes__")


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    shell = new_shell()
    ipython_ext.load_ipython_extension(shell)
    found = Notebook(shell)
    found.run("import torch")
    yield found
    ipython_ext.unload_ipython_extension(shell)
    type(shell).clear_instance()


def test_a_fault_leaves_the_traceback_of_a_cell_as_it_was(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = "torch.zeros(2, 3) @ torch.zeros(2, 3)"
    whole = notebook.run(mistake)
    assert whole.annotations

    def broken(*_args: Any) -> Any:
        message = "fault"
        raise RuntimeError(message)

    monkeypatch.setattr(engine, "locate", broken)
    faulty = notebook.run(mistake)
    assert not faulty.annotations
    assert whole.stderr == ""
    (line,) = faulty.stderr.splitlines()
    assert line.startswith("shapeguard: internal fault")
    assert re.sub(r"In ?\[\d+\]", "In", faulty.stdout) == re.sub(r"In ?\[\d+\]", "In", whole.stdout)


def test_an_interruption_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: Any) -> Any:
        raise KeyboardInterrupt

    error = failing(lambda: torch.ones(2, 3) @ torch.ones(2, 3))
    monkeypatch.setattr(engine, "locate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explain(error)


# --- bounds


@pytest.mark.parametrize(
    ("name", "shapes", "numbers"),
    [
        ("add", [(100_000, 1), (1, 100_000)], []),
        ("matmul", [(3000, 3000), (3000, 3000)], []),
        ("outer", [(10_000,), (10_000,)], []),
        ("repeat", [(1000,)], [100_000]),
        ("zeros", [], [100_000, 100_000]),
        ("conv2d", [(16, 64, 64, 64), (256, 64, 3, 3)], []),
        ("sum", [(3000, 3000)], []),
    ],
)
def test_what_could_take_long_or_much_memory_is_not_begun(
    name: str, shapes: list[tuple[int, ...]], numbers: list[int]
) -> None:
    with pytest.raises(TooLarge):
        admit(name, [*(torch.empty(1).expand(shape) for shape in shapes), *numbers])


def test_after_the_deadline_nothing_more_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Deadline", lambda _seconds: Deadline(-1))
    finding = explain(failing(lambda: torch.ones(2, 3) @ torch.ones(2, 3)))
    assert finding is None or finding.fixes == ()


def test_large_operands_are_tried_as_small_ones_of_the_same_sizes() -> None:
    big = torch.empty(1).expand(4096, 8192)
    weight = torch.empty(1).expand(8192, 1024)

    def product() -> Any:
        return big @ weight.T

    (fix,) = explained(product).fixes
    assert (fix.confirmed, fix.edits[0].text) == ("abstract", "big @ weight")
    assert fix.result is not None
    assert fix.result.shape == (4096, 1024)


def test_operands_on_a_device_are_tried_as_small_ones_on_the_cpu() -> None:
    x, w = torch.empty(32, 64, device="meta"), torch.empty(64, 48, device="meta")

    def product() -> Any:
        return x @ w.T

    (fix,) = explained(product).fixes
    assert fix.confirmed == "abstract"
    assert fix.result is not None
    assert (fix.result.shape, fix.result.device) == ((32, 48), "meta")


def test_an_edit_that_the_rest_of_the_function_refuses_is_not_offered() -> None:
    report = annotate(
        "import torch\nscores = torch.ones(4, 6, 6)\nmask = torch.ones(6)\nx = torch.ones(4, 3)\ny = torch.ones(4, 3)\n"
        "z = x @ y\nassert z.shape == (3, 3)\n"
    )
    (finding,) = report.findings
    assert [fix.edits[0].text for fix in finding.fixes] == ["x.T @ y"]


def test_an_annotation_of_the_target_decides() -> None:
    report = annotate(
        "import torch\nfrom jaxtyping import Float\nfrom torch import Tensor\nx = torch.ones(4, 3)\ny = torch.ones(4, 3)\n"
        "z: Float[Tensor, '3 3'] = x @ y\n"
    )
    (finding,) = report.findings
    assert [fix.edits[0].text for fix in finding.fixes] == ["x.T @ y"]


def test_common_explanations_import_nothing_heavy() -> None:
    heavy = {"torch._dynamo", "torch._subclasses.fake_tensor", "sympy"} - set(sys.modules)
    for case in TUNED[:10]:
        error = execute(case.code, f"<{case.name}>")[1]
        assert error is not None
        explain(error)
    assert heavy & set(sys.modules) == set()
    assert "torch" in namespace()


@pytest.mark.parametrize(
    "function",
    [
        lambda: torch.zeros(3)[torch.randint(5, 50, (4,))],
        lambda: torch.zeros(3).index_select(0, torch.randint(5, 50, (4,))),
        lambda: torch.zeros(3).gather(0, torch.randint(5, 50, (4,))),
    ],
)
def test_elements_that_were_drawn_again_are_not_said_to_be_the_ones_that_failed(function: Callable[[], Any]) -> None:
    finding = explain(failing(function))
    assert finding is None or "contains" not in finding.message


def test_elements_that_a_layer_was_given_are_the_ones_that_failed() -> None:
    table = nn.Embedding(3, 2)
    torch.manual_seed(5)
    first = torch.randint(5, 1000, (1,)).item()
    torch.manual_seed(5)
    finding = explained(lambda: table(torch.randint(5, 1000, (1,))))
    assert f"contains {first}," in finding.message
