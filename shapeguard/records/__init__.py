"""What travels between engines, renderers and transports: frozen records of strings, numbers and other records."""

from shapeguard.records.codec import Json, Record, Size, maker
from shapeguard.records.finding import Conflict, Edit, Finding, Fix, Operand
from shapeguard.records.gradient import GradientEntry, GradientReport, GradientRoot, Graph
from shapeguard.records.report import MIME_TYPE, SCHEMA, ProgramError, Report
from shapeguard.records.source import Source, Span, lines_of
from shapeguard.records.spec import KINDS, Spec
from shapeguard.records.trace import Observation
from shapeguard.records.verdict import Verdict

__all__ = [
    "KINDS",
    "MIME_TYPE",
    "SCHEMA",
    "Conflict",
    "Edit",
    "Finding",
    "Fix",
    "GradientEntry",
    "GradientReport",
    "GradientRoot",
    "Graph",
    "Json",
    "Observation",
    "Operand",
    "ProgramError",
    "Record",
    "Report",
    "Size",
    "Source",
    "Span",
    "Spec",
    "Verdict",
    "lines_of",
    "maker",
]
