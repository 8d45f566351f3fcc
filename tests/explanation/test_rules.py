"""What holds of the table of rules as a whole."""

import re
from pathlib import Path

from shapeguard.explanation import rules
from shapeguard.explanation.rules import RULES

ROOT = Path(rules.__file__).parents[3]
FAMILIES = sorted(Path(rules.__file__).parent.glob("[a-z]*.py"))


def test_every_id_is_documented_and_nothing_else_is() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in FAMILIES)
    used = set(re.findall(r'Diagnosis\(\s*"([a-z-]+)"', source)) | {"unexplained"}
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", _table())) == used


def _table() -> str:
    lines = (ROOT / "RULES.md").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.split("|")[1] for line in lines if line.startswith("| `"))


def test_every_family_is_in_the_table() -> None:
    assert {rule.diagnose.__module__.rpartition(".")[2] for rule in RULES} == {path.stem for path in FAMILIES}
