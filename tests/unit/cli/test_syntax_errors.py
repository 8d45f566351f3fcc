"""A script that is no Python."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from shapeguard.cli import main


@pytest.mark.parametrize(("source", "line"), [("x = 1\nreturn\n", 2), ("x = (\n", 1)])
def test_a_script_that_is_no_python_shows_its_mistake_as_python_does_without_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, line: int
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(source, encoding="utf-8")
    result = CliRunner().invoke(main, ["run", str(file)])
    shown = result.output + capsys.readouterr().err
    assert result.exit_code == 1
    assert [row.strip() for row in shown.splitlines() if row.lstrip().startswith("File ")] == [
        f'File "{file}", line {line}'
    ]
