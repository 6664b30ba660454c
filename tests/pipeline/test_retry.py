"""Work is begun again where what it reads was replaced meanwhile."""

import pytest

from chronotile.errors import Overtaken, PlanOutdated, PlanStale, SourceChanged
from chronotile.pipeline.retry import Attempts, retry_overtaken


def failing(*errors):
    """Work that raises these errors, one at each attempt, and then gives a text."""
    remaining = list(errors)

    def work():
        if remaining:
            raise remaining.pop(0)
        return "done"

    return work


@pytest.mark.parametrize(("kind", "most"), [(SourceChanged, 1), (PlanOutdated, 2)])
def test_each_kind_of_change_has_its_bound(kind, most):
    errors = [kind("changed") for _ in range(most + 1)]

    assert retry_overtaken(failing(*errors[:most]), kind) == "done"
    with pytest.raises(kind):
        retry_overtaken(failing(*errors), kind)


def test_what_was_lacking_before_is_no_reason_to_begin_again():
    first, second = PlanStale("a"), PlanStale("b")

    assert retry_overtaken(failing(first, second), PlanStale) == "done"
    with pytest.raises(PlanStale, match=r"^a$"):
        retry_overtaken(failing(first, second, first), PlanStale)


def test_news_among_what_was_lacking_before_is_a_reason():
    attempts = Attempts(2)

    assert [attempts.are_worthwhile(*lacking) for lacking in ("a", "ab", "ab")] == [True, True, False]


def test_new_encodings_are_taken_in_a_hundred_times():
    errors = [PlanStale(str(number)) for number in range(Overtaken.most_again + 1)]

    assert retry_overtaken(failing(*errors[:100]), PlanStale) == "done"
    with pytest.raises(PlanStale, match=r"^100$"):
        retry_overtaken(failing(*errors), PlanStale)


def test_another_kind_of_change_is_not_waited_for():
    with pytest.raises(SourceChanged):
        retry_overtaken(failing(SourceChanged("changed")), PlanStale)


def test_what_prepares_the_next_attempt_hears_why():
    heard, error = [], SourceChanged("changed")

    retry_overtaken(failing(error), SourceChanged, heard.append)

    assert heard == [error]
