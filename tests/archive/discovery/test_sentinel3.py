"""Folders of Sentinel-3 become collections with the arrays of their files."""

from chronotile.archive.discovery.discover import discover
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.made_sentinel3 import OLCI, write_olci, write_slstr


def test_folders_are_collections_of_their_kind(tmp_path):
    write_olci(tmp_path / "2024")
    write_slstr(tmp_path)

    discovery = discover(tmp_path, {}, ReaderCaches())

    variables = [set(collection.variables) for collection in discovery.collections]
    assert variables == [
        {"CHL_NN", "CHL_NN_err", "WQSF", "altitude", "SZA"},
        {"S8_BT_in", "F1_BT_fn", "S1_radiance_an", "NDVI", "sat_zenith_tn"},
    ]
    assert {finding.place.rpartition(": ")[2] for finding in discovery.findings if finding.severity == "warning"} == {
        "lambda0",
        "uncertainties, /S8_quality_in/uncertainties",
    }


def test_folder_is_one_collection(tmp_path):
    folder = write_olci(tmp_path)

    (collection,) = discover(folder, {}, ReaderCaches()).collections

    assert collection.draft.href == OLCI
