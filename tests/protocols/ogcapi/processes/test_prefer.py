"""The header Prefer (RFC 7240)."""

import pytest

from chronotile.protocols.ogcapi.processes.execution_routes import MAX_CHARACTERS, preferences_of


@pytest.mark.parametrize(
    ("headers", "is_async", "wait_s"),
    [
        ([], False, None),
        (["respond-async"], True, None),
        (["Respond-Async; foo=bar, wait=10"], True, 10),
        (['return=minimal; x="a, wait=9", wait="7"', "respond-async"], True, 7),
        (["wait=1, wait=2"], False, 1),
        (["wait=soon"], False, None),
        (['"' + '\\"' * 20_000, "respond-async"], False, None),
        (["x" * MAX_CHARACTERS, "respond-async"], False, None),
    ],
)
def test_preferences_are_combined_from_all_headers_up_to_a_limit(headers, is_async, wait_s):
    found = preferences_of(headers)

    assert (found.is_async, found.wait_s) == (is_async, wait_s)
