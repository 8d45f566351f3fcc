"""The commands, their options, and what wrong use of them says."""

import sys
from pathlib import Path

import click

from shapeguard.cli.delivery import FORMATS, Delivery, Target, form_of, say
from shapeguard.cli.scripts import run_script
from shapeguard.errors import MissingExtraError, ShapeguardError
from shapeguard.settings import project_file, read_project_file, settings

WRONG_USE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shapeguard-live", prog_name="shapeguard")
def main() -> None:
    """Say what every tensor is."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: text, or what the suffix of PATH says.")
@click.option(
    "-o",
    "--output",
    "paths",
    metavar="PATH",
    multiple=True,
    help="Write the report to PATH; may be repeated.",
)
def run(file: Path, arguments: tuple[str, ...], form: str | None, paths: tuple[str, ...]) -> None:
    """Run FILE, a script or a notebook, and report what every result in it is.

    What stands behind -- goes to the script. The exit code is 0 where all went well, 1 for an error in the program,
    2 for wrong use; a program that exits with a code of its own keeps it.
    """
    try:
        _apply_settings(file)
        delivery = Delivery(form or "text", [_target(path, form) for path in paths])
        with delivery.standard_output():
            code = (
                _run_notebook(file, arguments, delivery)
                if file.suffix == ".ipynb"
                else run_script(file, arguments, delivery)
            )
    except ShapeguardError as error:
        say(f"shapeguard: {error}")
        code = WRONG_USE
    sys.exit(code)


def _target(typed: str, form: str | None) -> Target:
    path = Path(typed)
    return Target(path.absolute(), form or form_of(path), typed)


def _apply_settings(file: Path) -> None:
    path = project_file(file.absolute().parent)
    for name, value in (read_project_file(path) if path else {}).items():
        setattr(settings, name, value)


def _run_notebook(file: Path, arguments: tuple[str, ...], delivery: Delivery) -> int:
    if arguments:
        message = f"{file}: a notebook takes no arguments; got {' '.join(arguments)}"
        raise click.UsageError(message)
    try:
        # IPython, nbformat and nbconvert come with an extra, and take time to import.
        from shapeguard.cli.notebooks import run_notebook_file  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f"notebooks need {error.name}: pip install 'shapeguard-live[notebook]'"
        raise MissingExtraError(message) from None
    return run_notebook_file(file, delivery)
