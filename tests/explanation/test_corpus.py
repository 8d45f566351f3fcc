import pytest

from tests.explanation.cases import Case, gives_the_same, has_conflict, is_located, outcome_of, runs
from tests.explanation.corpus_fresh import FRESH
from tests.explanation.corpus_held_out import HELD_OUT
from tests.explanation.corpus_tuned import TUNED

CASES = [pytest.param(case, id=case.name) for case in (*TUNED, *HELD_OUT, *FRESH)]


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_located_with_its_operands_and_what_clashes(case: Case) -> None:
    finding = outcome_of(case).finding
    assert is_located(case, finding), finding
    assert has_conflict(case, finding), finding


@pytest.mark.parametrize("case", CASES)
def test_every_repair_that_is_offered_runs_and_the_best_one_is_right(case: Case) -> None:
    finding = outcome_of(case).finding
    assert finding is not None
    assert [fix for fix in finding.fixes if not runs(case, fix)] == []
    assert len(finding.fixes) <= 3
    if case.repair:
        assert finding.fixes
        assert gives_the_same(case, finding.fixes[0]), finding.fixes


def test_no_two_mistakes_have_the_same_name_or_program() -> None:
    cases = [*TUNED, *HELD_OUT, *FRESH]
    assert len({case.name for case in cases}) == len({case.code for case in cases}) == len(cases) >= 120
