"""`shapeguard run FILE.py`."""

import sys
import tokenize
from collections.abc import Sequence
from pathlib import Path

from shapeguard import session
from shapeguard.cli.delivery import Delivery, flush_output, say
from shapeguard.errors import ProgramFileError
from shapeguard.observation.script import main_module
from shapeguard.observation.statements import own_traceback
from shapeguard.rendering import Selection, page, plain, report_text
from shapeguard.settings import settings

ERROR, INTERRUPTED = 1, 130


def run_script(file: Path, arguments: Sequence[str], delivery: Delivery) -> int:
    """Run a script as `python FILE` would, deliver its report, and give the exit code.

    Raises:
        ProgramFileError: the file cannot be read as Python source.
        DeliveryError: the report cannot be written; before the program runs, where that is known.
    """
    source = _read(file)
    delivery.check()
    # As Python names it since 3.9: what the script defines is found wherever it changes directory to.
    filename = str(file.absolute())
    error: BaseException | None
    with main_module(file, arguments) as namespace:
        try:
            report, error = session.run_source(source, filename=filename, namespace=namespace)
        except SyntaxError as mistake:
            report = session.unparsed_report(source, mistake, filename=filename)
            # As with `python FILE`, the mistake stands alone: the frames below it are all ours.
            error = mistake.with_traceback(None)
        code = _tell_ending(error)
    selection = Selection(None, settings.kinds, settings.names)
    paint = plain if delivery.targets else delivery.paint
    delivery.deliver(
        {
            "json": report.to_json,
            "html": lambda: page(file.name, source, report, selection),
            "text": lambda: report_text(report, selection, paint, numbered=True),
        }
    )
    return code


def _read(file: Path) -> str:
    try:
        # Reads the encoding from the file's own declaration, as Python does.
        with tokenize.open(file) as stream:
            return stream.read()
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise ProgramFileError(message) from None
    except (SyntaxError, UnicodeDecodeError) as error:
        message = f"{file}: not Python source: {error}"
        raise ProgramFileError(message) from None


def _tell_ending(error: BaseException | None) -> int:
    """Print what Python itself prints at the end of a program, and give its exit code."""
    flush_output()
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        say(str(error.code))
        return ERROR
    # Python's own printer: it also knows what to do without sys.stderr.
    sys.__excepthook__(type(error), error.with_traceback(own_traceback(error)), error.__traceback__)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else ERROR
