"""Which lines of one compound statement ran: what tells a branch that was taken from one that was not.

On Python 3.12 and newer through `sys.monitoring`, with events of that one code object that switch themselves off. On
3.11 through `sys.settrace`, bounded by a small budget and by the moment when every line of interest has run, and never
where a tracer is installed. Beyond the budget the answer is "not known".
"""

import sys
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
    """As LineWatch, through `sys.monitoring`: each line reports once and is then disabled, so that a loop runs at full speed."""

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
                monitoring.register_callback(tool, monitoring.events.LINE, self._line)
                monitoring.set_local_events(tool, self._code, monitoring.events.LINE)
                return

    def _line(self, _code: CodeType, line: int) -> Any:
        if line in self._lines:
            self.hits.add(line)
        return _monitoring.DISABLE

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
    """As LineWatch, through `sys.settrace`, for Python 3.11: leaves as soon as all lines were seen or the budget is spent."""

    def __init__(self, code: CodeType, lines: frozenset[int]) -> None:
        self.hits: set[int] = set()
        self._code = code
        self._missing = set(lines)
        self._calls = self._events = 0
        self._installed = False
        self._complete = False

    def start(self) -> None:
        """Begin."""
        if sys.gettrace() is None:
            self._installed = self._complete = True
            sys.settrace(self._call)

    def _call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if frame.f_code is self._code:
            return self._line
        self._calls += 1
        if self._calls > MAX_CALLS:
            self._leave(complete=False)
        return None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line" and frame.f_lineno in self._missing:
            self._missing.discard(frame.f_lineno)
            self.hits.add(frame.f_lineno)
        self._events += 1
        if not self._missing:
            self._leave(complete=True)
        elif self._events > MAX_LINES:
            self._leave(complete=False)
        else:
            return self._line
        frame.f_trace = None
        return None

    def _leave(self, *, complete: bool) -> None:
        self._complete = complete
        self._uninstall()

    def _uninstall(self) -> None:
        # A debugger that the user's code started in the meantime keeps its own tracer.
        if self._installed and sys.gettrace() == self._call:
            sys.settrace(None)
        elif self._installed and self._missing:
            self._complete = False
        self._installed = False

    def stop(self) -> bool:
        """End."""
        self._uninstall()
        return self._complete


def watch_lines(code: CodeType, lines: frozenset[int]) -> LineWatch:
    """A watch, not yet started, that tells which of `lines` run in the next run of `code`."""
    return MonitoringWatch(code, lines) if sys.version_info >= (3, 12) else TracingWatch(code, lines)
