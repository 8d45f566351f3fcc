import doctest
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = sorted((REPOSITORY / "examples").glob("*.py"))
NAMES = [script.stem for script in SCRIPTS]


def test_there_is_one_script_for_each_computation_of_the_assignment() -> None:
    assert NAMES == ["linear_layer", "masked_mean", "padded_batch", "transposed_weight", "two_layer_network"]


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_a_script_prints_its_golden_output(script: Path, compare_with_golden: Callable[[str, str], None]) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
        "PYTHONUTF8": "1",
    }
    run = subprocess.run(  # noqa: S603  the repository's own script
        [sys.executable, str(script)], capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    compare_with_golden(f"examples/{script.stem}.txt", run.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_importing_a_script_prints_nothing(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.import_module(name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "examples"), [("linear_layer", 2), ("masked_mean", 1), ("padded_batch", 1), ("two_layer_network", 2)]
)
def test_what_the_docstrings_show_is_what_happens(name: str, examples: int) -> None:
    assert doctest.testmod(importlib.import_module(name)) == (0, examples)
