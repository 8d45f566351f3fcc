"""The use cases of the public interface: the one module that knows all engines."""

import ast
import builtins
import hashlib
import linecache
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from shapeguard.observation import Recorder, run_statements
from shapeguard.observation.positions import SourceText
from shapeguard.observation.recorder import Sighting
from shapeguard.records import Finding, Observation, ProgramError, Report, Source, Span, lines_of, maker

_new_observation = maker(Observation)


def annotate(source: str, *, filename: str = "<source>", namespace: dict[str, Any] | None = None) -> Report:
    """Execute `source` statement by statement and record every result that is a tensor or holds one.

    An exception becomes `status="error"` with `error`, and SystemExit `exited`; what had run is reported all the
    same. Nothing is printed. `namespace` is the globals of the code and keeps what it binds; a fresh one, named
    `__main__`, where none is given.

    Raises:
        SyntaxError: `source` is no Python.
        KeyboardInterrupt: it was interrupted; it propagates.

    >>> report = annotate("import numpy as np; X = np.zeros((6, 10))")
    >>> report.observations[0].target, report.observations[0].spec.shape
    ('X', (6, 10))
    """
    report, error = run_source(source, filename=filename, namespace=namespace)
    if isinstance(error, KeyboardInterrupt):
        raise error
    return report


def run_source(
    source: str, *, filename: str = "<source>", namespace: dict[str, Any] | None = None, kind: str = "script"
) -> tuple[Report, BaseException | None]:
    """`annotate`, with the exception that ended the run, for transports that show its traceback.

    Raises:
        SyntaxError: `source` is no Python.
    """
    tree = ast.parse(source, filename)
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins} if namespace is None else namespace
    if not Path(filename).exists():
        # So that tracebacks show lines and inspect.getsource finds functions of a text that is no file.
        linecache.cache[filename] = (len(source), None, [f"{line}\n" for line in lines_of(source)], filename)
    recorder = Recorder(space, walrus=":=" in source)
    outcome = run_statements(tree, filename, space, recorder)
    text = SourceText(source)
    findings, further = findings_of(outcome.error, {filename: text})
    report = Report(
        sources=(describe_source(source, uri=_uri(filename), kind=kind), *further),
        status=status_of(outcome.error),
        error=program_error(outcome.error),
        observations=observations(recorder.sightings, text),
        findings=findings,
        elapsed_us=recorder.elapsed_ns // 1000,
    )
    return report, outcome.error


def unparsed_report(source: str, error: SyntaxError, *, filename: str, kind: str = "script") -> Report:
    """The Report of a text that is no Python: nothing of it ran."""
    return Report((describe_source(source, uri=_uri(filename), kind=kind),), status_of(error), program_error(error))


def _uri(filename: str) -> str:
    path = Path(filename)
    return path.resolve().as_uri() if path.exists() else filename


def describe_source(text: str, *, uri: str, kind: str, cell_id: str | None = None, count: int | None = None) -> Source:
    """The Source record of one text."""
    return Source(uri, kind, cell_id, count, hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest())


def observations(sightings: Sequence[Sighting], text: SourceText) -> tuple[Observation, ...]:
    """What was seen, as records."""
    spans = text.spans([seen.node for seen in sightings])
    return tuple(
        [
            _new_observation(
                name or (node.id if type(node) is ast.Name else _written(node, span, text)),
                role,
                span,
                None,
                spec,
                1,
                True,  # noqa: FBT003  the maker takes all fields by position
                (),
            )
            for (node, role, spec, name), span in zip(sightings, spans, strict=True)
        ]
    )


def _written(node: ast.expr, span: Span, text: SourceText) -> str:
    return text.written(span) or ast.unparse(node)


def status_of(error: BaseException | None) -> str:
    """How a run ended: ok, error, interrupted or exited.

    >>> status_of(SystemExit(0))
    'exited'
    """
    if error is None:
        return "ok"
    if isinstance(error, SystemExit):
        return "exited"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "error"


def program_error(error: BaseException | None) -> ProgramError | None:
    """The record of an exception; its text may be the work of the user's own `__str__`, which may fail."""
    if error is None:
        return None
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  a broken __str__ of the user's is no reason to lose the report
        message = "<no text: its __str__ raised>"
    return ProgramError(type(error).__name__, message)


def explain(error: BaseException) -> Finding | None:
    """Why a tensor operation raised `error`: operands, the dims that clash, and repairs that ran; from its traceback.

    None where the traceback does not lead to a tensor operation in code of yours. Never raises, calls no function
    of yours, and changes nothing: candidates run on copies. Spans are in the source of the innermost frame of yours.

    >>> explain(ValueError("not of a tensor")) is None
    True
    """
    found, _ = findings_of(error, {}, keep=lambda _fault: None)
    return found[0] if found else None


def findings_of(
    error: BaseException | None, texts: Mapping[str, SourceText], keep: Callable[[Exception], None] | None = None
) -> tuple[tuple[Finding, ...], tuple[Source, ...]]:
    """What is known of an exception, and the sources it is in besides `texts`, which are of the report, by filename.

    An engine that nobody used costs nothing here. A fault in one leaves the exception as it is, and goes to `keep`,
    or becomes a finding of its own where nobody keeps faults.
    """
    enforcement = sys.modules.get("shapeguard.enforcement")
    if error is not None and enforcement is not None:
        finding = enforcement.finding_of(error)
        if finding is not None:
            return (finding,), ()
    # Nothing without torch is a tensor operation; numpy alone says enough itself.
    if error is None or "torch" not in sys.modules:
        return (), ()
    try:
        return _explained(error, texts)
    # The user's own error is what matters: whatever goes wrong here, it is shown as it would have been.
    except Exception as fault:  # noqa: BLE001
        if keep is None:
            return (_fault_finding(fault),), ()
        keep(fault)
        return (), ()


def _fault_finding(fault: Exception) -> Finding:
    """What is said where explaining an error failed itself."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    message = f"shapeguard could not explain this error; the error is as it was ({type(fault).__name__}{place})"
    return Finding("internal-fault", "information", message)


def _explained(error: BaseException, texts: Mapping[str, SourceText]) -> tuple[tuple[Finding, ...], tuple[Source, ...]]:
    # Imported when something failed, so that nothing is paid before.
    from shapeguard.explanation import explanation_of  # noqa: PLC0415

    further = len(texts)
    found = explanation_of(error, lambda name, text: texts.get(name) or SourceText(text, further))
    if found is None:
        return (), ()
    if found.filename in texts or not texts:
        return (found.finding,), ()
    kind = "module" if Path(found.filename).exists() else "cell"
    return (found.finding,), (describe_source(found.text, uri=_uri(found.filename), kind=kind),)


def cell_report(  # noqa: PLR0913  what there is to know of a cell
    pieces: Sequence[tuple[str, SourceText, Recorder]],
    error: BaseException | None,
    *,
    cell_id: str | None = None,
    count: int | None = None,
    filenames: Sequence[str] = (),
    keep: Callable[[Exception], None] | None = None,
) -> Report:
    """The Report of one notebook cell that has run.

    `pieces` are the cell and whatever a magic of it ran as a cell within, each with its text and what was seen;
    `filenames` are what they were compiled as. `keep` takes a fault of shapeguard's own.
    """
    started = perf_counter_ns()
    sources = []
    seen: list[Observation] = []
    elapsed = 0
    for index, (raw, text, recorder) in enumerate(pieces):
        uri = f"cell:{cell_id}" if cell_id else f"cell:In[{count}]"
        uri = uri if index == 0 else f"{uri}#{index}"
        sources.append(describe_source(raw, uri=uri, kind="cell", cell_id=cell_id, count=count))
        seen += observations(recorder.sightings, text)
        elapsed += recorder.elapsed_ns
    texts = {name: text for name, (_, text, _) in zip(filenames, pieces, strict=False)}
    findings, further = findings_of(error, texts, keep)
    elapsed += perf_counter_ns() - started
    return Report(
        (*sources, *further), status_of(error), program_error(error), tuple(seen), findings, elapsed_us=elapsed // 1000
    )


def blank_cell_report(
    raw: str, error: BaseException | None, *, cell_id: str | None = None, count: int | None = None
) -> Report:
    """The Report of a cell of which no statement ran: blank, muted, or no Python."""
    return cell_report([(raw, SourceText(raw), Recorder({}))], error, cell_id=cell_id, count=count)
