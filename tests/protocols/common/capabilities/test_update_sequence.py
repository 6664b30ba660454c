"""The update sequence of capabilities is an integer that clients may write in any form."""

import pytest

from chronotile.protocols.common.capabilities.update_sequence import sequence_order

CURRENT = "1593518400000000"


@pytest.mark.parametrize(
    ("held", "order"),
    [
        (CURRENT, 0),
        ("1.5935184E15", 0),
        (" 1593518400000000.0 ", 0),
        ("1.593518400000001E15", 1),
        ("1593518400000001", 1),
        ("1E999", 1),
        ("1593518399999999", -1),
        ("9", -1),
        ("0", -1),
        ("-5", -1),
        *(
            (text, -1)
            for text in ("", "bogus", "NaN", "Infinity", "1e9999999999", "2020-06-30T12:00:00.000000Z", "\u0661")
        ),
    ],
)
def test_sequences_compare_as_numbers(held, order):
    assert sequence_order(held, CURRENT) == order
