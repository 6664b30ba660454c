"""Every abstract test of Features in docs/design/conformance-features.md is held by a test, and no other is named."""

import re

from tests.protocols.checklists import CONFORMANCE, ids_held

PAGE = CONFORMANCE.with_name("conformance-features.md")


def test_every_abstract_test_of_features_is_a_test():
    listed = re.findall(r"^- `(/conf/[^`]+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(listed) == len(set(listed)) > 50
    assert set(listed) == ids_held("features")
