"""From an exception to the dims that clash, in the user's words, and to repairs that ran."""

from shapeguard.explanation.engine import Explanation, Text, explanation_of

__all__ = ["Explanation", "Text", "explanation_of"]
