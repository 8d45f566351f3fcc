"""Which lines of one compound statement ran: what tells a branch that was taken from one that was not.

On Python 3.12 and newer through `sys.monitoring`, with events of that one code object that switch themselves off. On
3.11 through `sys.settrace`, bounded by a small budget and by the moment when every line of interest has run, and never
where a tracer is installed. Beyond the budget the answer is "not known".
"""

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol

_monitoring: Any = getattr(sys, "monitoring", None)

MAX_CALLS = 250
"""Calls of other functions that a 3.11 tracer lets pass before it leaves. Below the recursion limit by a margin, so
that no frame of ours ever stands where the user's recursion ends."""
MAX_LINES = 1000
"""Line events that a 3.11 tracer takes before it leaves: at most a millisecond."""


class LineWatch(Protocol):
    """A watch over one run of one code object."""

    hits: set[int]

    def start(self) -> None:
        """Begin; the next run of the code object is watched."""

    def stop(self) -> bool:
        """End, and say whether the watch was complete: a line that it did not see did not run."""


class MonitoringWatch:
    """As LineWatch, through `sys.monitoring`: each line reports once and is then disabled, so that loops run at speed."""

    def __init__(self, code: CodeType, lines: frozenset[int]) -> None:
        self.hits: set[int] = set()
        self._code = code
        self._lines = lines
        self._tool: int | None = None

    def start(self) -> None:
        """Begin."""
        monitoring = _monitoring
        # The ids 0 to 2 and 5 are kept for debuggers, coverage, profilers and optimisers.
        for tool in (4, 3):
            if monitoring.get_tool(tool) is None:
                monitoring.use_tool_id(tool, "shapeguard")
                self._tool = tool
                monitoring.register_callback(tool, monitoring.events.LINE, self._callback())
                monitoring.set_local_events(tool, self._code, monitoring.events.LINE)
                return

    def _callback(self) -> Callable[[CodeType, int], Any]:
        # It runs on the user's stack, and what it raised would be the user's error: nothing here can raise.
        hits, disable = self.hits, _monitoring.DISABLE

        def line(_code: CodeType, number: int) -> Any:
            hits.add(number)
            return disable

        return line

    def stop(self) -> bool:
        """End."""
        if self._tool is None:
            return False
        monitoring = _monitoring
        monitoring.set_local_events(self._tool, self._code, 0)
        monitoring.register_callback(self._tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(self._tool)
        self._tool = None
        return True


class TracingWatch:
    """As LineWatch, through `sys.settrace`, for Python 3.11: leaves when all lines were seen or the budget is spent."""

    def __init__(self, code: CodeType, lines: frozenset[int]) -> None:
        self.hits: set[int] = set()
        self._code = code
        self._missing = set(lines)
        self._calls = self._events = 0
        self._tracer: Callable[..., Any] | None = None
        self._complete = False
        self._fault: Exception | None = None

    def start(self) -> None:
        """Begin."""
        if sys.gettrace() is None:
            self._complete = True
            self._tracer = self._shielded_tracer()
            sys.settrace(self._tracer)

    def _shielded_tracer(self) -> Callable[..., Any]:
        """The trace function. It runs on the user's stack, so a fault in it is kept until `stop`."""

        def on_line(frame: FrameType, event: str, _argument: Any) -> Any:
            try:
                if self._saw_line(frame.f_lineno if event == "line" else None):
                    return on_line
            except Exception as error:  # noqa: BLE001
                self._give_up(error)
            frame.f_trace = None
            return None

        def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
            try:
                return on_line if self._saw_call(frame.f_code) else None
            except Exception as error:  # noqa: BLE001
                self._give_up(error)
                return None

        return on_call

    def _saw_call(self, code: CodeType) -> bool:
        """Whether the lines of this call are of interest."""
        if code is self._code:
            return True
        self._calls += 1
        if self._calls > MAX_CALLS:
            self._complete = False
            self._uninstall()
        return False

    def _saw_line(self, number: int | None) -> bool:
        """Whether to go on."""
        if number in self._missing:
            self._missing.discard(number)
            self.hits.add(number)
        self._events += 1
        if self._missing and self._events <= MAX_LINES:
            return True
        self._complete = not self._missing
        self._uninstall()
        return False

    def _give_up(self, error: Exception) -> None:
        # Without its traceback, which holds the frames of the user's program.
        self._fault = error.with_traceback(None)
        self._complete = False
        if sys.gettrace() is self._tracer:
            sys.settrace(None)

    def _uninstall(self) -> None:
        # A debugger that the user's code started in the meantime keeps its own tracer.
        if self._tracer is not None and sys.gettrace() is self._tracer:
            sys.settrace(None)
        elif self._tracer is not None and self._missing:
            self._complete = False
        self._tracer = None

    def stop(self) -> bool:
        """End."""
        self._uninstall()
        if self._fault is not None:
            raise self._fault
        return self._complete


def watch_lines(code: CodeType, lines: frozenset[int]) -> LineWatch:
    """A watch, not yet started, that tells which of `lines` run in the next run of `code`."""
    return MonitoringWatch(code, lines) if sys.version_info >= (3, 12) else TracingWatch(code, lines)
