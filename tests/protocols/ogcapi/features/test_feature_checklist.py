"""Every abstract test of docs/design/conformance-features.md has a test, and tests name no other."""

import re

from tests.protocols.checklists import CONFORMANCE, ids_held

PAGE = CONFORMANCE.with_name("conformance-features.md")


def test_every_abstract_test_of_features_is_a_test():
    listed = re.findall(r"^- `(/conf/[^`]+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(listed) == len(set(listed)) > 50
    assert set(listed) == ids_held("features")
