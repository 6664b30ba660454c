"""Function names start with a verb or are noun phrases; class names are defined once; variables name a thing."""

import pytest

from tools import names


@pytest.mark.parametrize(
    "name",
    ["resolve_times", "cell_of", "_read", "named_part", "_sorted_times", "to_json", "from_text", "__init__"],
)
def test_verbs_and_noun_phrases_are_allowed(name):
    assert names.is_function_name_allowed(name)


@pytest.mark.parametrize(
    "name", ["_drawn", "_settled", "given_by", "_of_any", "_with_clock", "found", "warned_of_live"]
)
def test_participles_and_prepositions_are_faults(name):
    assert not names.is_function_name_allowed(name)


def test_faults_are_found_by_rule(tmp_path):
    folder = tmp_path / "server" / "chronotile"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(
        "class Place:\n    def _drawn(self, each):\n        found = each\n        return found\n"
    )
    (folder / "b.py").write_text("Place = dict[str, int]\n\n\ndef read(value):\n    return value\n")

    faults = [(fault.rule, fault.path[-4:], fault.name) for fault in names.find_faults(tmp_path)]

    assert sorted(faults) == [
        ("class defined twice", "a.py", "Place"),
        ("class defined twice", "b.py", "Place"),
        ("filler name", "a.py", "each"),
        ("filler name", "a.py", "found"),
        ("function name", "a.py", "_drawn"),
    ]
