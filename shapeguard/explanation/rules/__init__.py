"""Everything that is known of the kinds of failure: one file a family, and the order in which they are asked."""

from shapeguard.explanation.diagnosis import Rules
from shapeguard.explanation.rules import (
    attention,
    autograd,
    broadcasting,
    contraction,
    conversion,
    convolution,
    dtypes,
    einsum,
    indexing,
    joining,
    losses,
    normalisation,
    recurrent,
    reshaping,
    state,
    tuples,
)

RULES: Rules = (
    *state.RULES,
    *conversion.RULES,
    *autograd.RULES,
    *tuples.RULES,
    *contraction.RULES,
    *einsum.RULES,
    *joining.RULES,
    *reshaping.RULES,
    *convolution.RULES,
    *normalisation.RULES,
    *losses.RULES,
    *indexing.RULES,
    *recurrent.RULES,
    *attention.RULES,
    *dtypes.RULES,
    *broadcasting.RULES,
)
"""The first that answers is right: causes before what they lead to, the most general last."""
