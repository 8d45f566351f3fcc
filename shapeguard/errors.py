"""The exceptions that shapeguard itself raises; each message says where, what was given, which rule, and what to do."""


class ShapeguardError(Exception):
    """Base of everything that shapeguard raises on its own account."""


class RecordError(ShapeguardError, ValueError):
    """A JSON text is not the record it was read as."""


class SettingsError(ShapeguardError, ValueError):
    """An option has an unknown name or a value outside its range."""


class ProgramFileError(ShapeguardError):
    """A file that was to be run cannot be read as a program: missing, of a wrong format, or not Python."""


class MissingExtraError(ShapeguardError, ImportError):
    """A library that only one feature needs is not installed."""


class NotationError(ShapeguardError, ValueError):
    """A dim string is not in jaxtyping's notation."""


class GuardTargetError(ShapeguardError, TypeError):
    """`guard` was applied to something that is neither a function, a method, a property nor a class."""
