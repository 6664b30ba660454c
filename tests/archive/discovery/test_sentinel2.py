"""Sentinel-2 products in a folder become one collection per tile."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from chronotile.archive.discovery.discover import discover
from chronotile.archive.discovery.names import TIME, VARIABLE
from chronotile.archive.discovery.sentinel2 import split_products
from chronotile.archive.findings import files_passed_over
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.source import SourceInfo, VariableSpec
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.odd_archives.bad_zips import BAD_ZIPS, ZIP_NAME, write_bad_zip
from tests.odd_archives.safe import SafeProduct

OLD = SafeProduct()
NEW = SafeProduct(sensed="20220105T101401", baseline="04.00", offset=-1000)


def paths_of(product: SafeProduct, *images: tuple[str, int], folder: str = "") -> list[Path]:
    return [Path(folder, product.name, product.image(*image)) for image in images]


def variables_of(*paths: Path) -> list[tuple[str, ...]]:
    return [group.variables for group in split_products(paths)[0]]


def test_every_band_has_its_finest_resolution():
    images = ("B04", 20), ("B04", 10), ("B11", 20), ("B01", 60)

    assert variables_of(*paths_of(OLD, *images)) == [("B01_60m", "B04_10m", "B11_20m")]


def test_band_has_the_resolution_of_most_products():
    older, newer = paths_of(OLD, ("B01", 60)), paths_of(NEW, ("B01", 60), ("B01", 20))

    assert variables_of(*older, *newer) == [("B01_60m",)]


def test_tiles_and_levels_are_separate():
    products = OLD, SafeProduct(tile="T32TPM"), SafeProduct(level="1C")

    assert len(variables_of(*(path for product in products for path in paths_of(product, ("B02", 10))))) == 3


def test_products_in_several_folders_are_one_series():
    (group,), _rest = split_products(
        [*paths_of(OLD, ("B02", 10), folder="2020/01"), *paths_of(NEW, ("B02", 10), folder="2022")]
    )

    assert len(group.names) == 2
    assert group.pattern.endswith(f"T32TQM_{TIME}_{VARIABLE}.jp2")


def test_files_outside_of_products_are_left():
    plain_files = [Path("a.tif"), Path("T32TQM_20200104T101319_B02_10m.jp2")]

    assert split_products([*plain_files, *paths_of(OLD, ("B02", 10))])[1] == plain_files


def test_products_of_other_missions_are_left():
    other = [Path("S1A_IW_GRDH_1SDV_20200104T101319.SAFE/measurement/a.tiff"), Path("any.SAFE/GRANULE/a.jp2")]

    assert split_products(other) == ([], other)


def discover_in(folder: Path):
    return discover(folder, {}, ReaderCaches())


def open_series(folder: Path) -> SourceInfo:
    (collection,) = discover_in(folder).collections
    return open_source(collection.draft.spec([VariableSpec(id="B02", name="B02_10m")]), ReaderCaches()).info


def test_folder_of_products_is_one_collection(tmp_path):
    for product in (OLD, NEW):
        product.write(tmp_path / product.sensed[:4])

    discovery = discover_in(tmp_path)

    (collection,) = discovery.collections
    assert [*collection.variables] == ["AOT", "B01", "B02", "B03", "B04", "B08", "B11", "SCL", "WVP"]
    assert collection.draft.href.startswith("**/")
    assert discovery.findings == ()


@pytest.mark.parametrize("product", [OLD, SafeProduct(level="1C")])
def test_product_may_be_the_folder(tmp_path, product):
    discovery = discover_in(product.write(tmp_path))

    (collection,) = discovery.collections
    assert {"B02", "B03", "B04"} <= {*collection.variables}
    assert collection.draft.href.startswith("GRANULE/*/IMG_DATA/")
    assert discovery.findings == ()


def test_band_that_cannot_be_opened_is_a_finding(tmp_path):
    image = OLD.write(tmp_path) / OLD.image("B03", 10)
    image.write_bytes(b"no JPEG 2000")

    discovery = discover_in(tmp_path)

    (collection,), (finding,) = discovery.collections, discovery.findings
    assert [*collection.variables] == ["AOT", "B01", "B02", "B04", "B08", "B11", "SCL", "WVP"]
    assert finding.place == f"{collection.draft.id}: B03_10m"
    assert finding.message.startswith(f"left out: {image.name} cannot be opened")


@pytest.mark.parametrize("document", ["<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>"])
def test_product_with_a_damaged_document_is_a_finding(tmp_path, document):
    for product in (OLD, NEW, SafeProduct(sensed="20220205T101401")):
        product.write(tmp_path)
    (tmp_path / NEW.name / NEW.document).write_text(document)

    info = open_series(tmp_path)

    (finding,) = (f for f in info.findings if NEW.name in f.place)
    assert finding.message.startswith("left out: MTD_MSIL2A.xml cannot be used")
    assert len(info.variables["B02"].times) == 2


@pytest.mark.parametrize(("baseline", "processed"), [("05.00", "132149"), ("05.00", "101500"), ("02.14", "180000")])
def test_reprocessed_product_replaces_the_older_one(tmp_path, baseline, processed):
    again = SafeProduct(baseline=baseline, processed=processed, offset=-1000, quantification=20_000)
    for product in (OLD, again):
        product.write(tmp_path)

    info = open_series(tmp_path)

    assert info.variables["B02"].encoding.scale == 1 / 20_000
    assert len(info.variables["B02"].times) == 1
    assert any("replaced by more consolidated ones" in finding.message for finding in info.findings)


def times_of(folder: Path) -> int:
    return len(open_series(folder).variables["B02"].times)


def test_folder_and_zip_files_are_one_collection(tmp_path):
    OLD.write(tmp_path)
    NEW.write_zip(tmp_path, end=".SAFE.zip")
    SafeProduct(sensed="20220205T101401").write_zip(tmp_path / "2022", compression=zipfile.ZIP_STORED)

    discovery = discover_in(tmp_path)

    (collection,) = discovery.collections
    assert [*collection.variables] == ["AOT", "B01", "B02", "B03", "B04", "B08", "B11", "SCL", "WVP"]
    assert discovery.findings == ()
    assert times_of(tmp_path) == 3


def test_zip_may_be_the_place(tmp_path):
    NEW.write_zip(tmp_path)
    path = OLD.write_zip(tmp_path)

    (collection,) = discover_in(path).collections

    assert collection.draft.href.startswith(f"{path.name}/*_MSIL2A_*.SAFE/GRANULE/*/IMG_DATA/")


def test_newer_processing_in_a_zip_replaces_the_folder(tmp_path):
    OLD.write(tmp_path)
    SafeProduct(baseline="05.00", quantification=20_000).write_zip(tmp_path)

    info = open_series(tmp_path)

    assert info.variables["B02"].encoding.scale == 1 / 20_000
    assert any("replaced by more consolidated ones" in finding.message for finding in info.findings)


def test_same_product_as_folder_and_zip_is_read_once(tmp_path):
    OLD.write(tmp_path)
    OLD.write_zip(tmp_path)

    info = open_series(tmp_path)

    assert len(info.variables["B02"].times) == 1
    assert any("same time as" in finding.message for finding in info.findings)


def test_each_bad_zip_is_a_finding_and_the_rest_is_served(tmp_path):
    OLD.write_zip(tmp_path)
    for name, (change, _words) in BAD_ZIPS.items():
        write_bad_zip(tmp_path / f"{name} {ZIP_NAME}", change)

    discovery = discover_in(tmp_path)

    messages = {f.place.partition(" S2")[0]: f.message for f in discovery.findings if f.severity == "warning"}
    assert messages.keys() == BAD_ZIPS.keys()
    assert all(words in messages[name] for name, (_change, words) in BAD_ZIPS.items())
    assert times_of(tmp_path) == 1


def test_bad_zip_of_a_configuration_is_a_finding(tmp_path):
    OLD.write(tmp_path)
    (collection,) = discover_in(tmp_path).collections
    write_bad_zip(tmp_path / ZIP_NAME, BAD_ZIPS["encrypted"][0])
    spec = replace(collection.draft.spec(), href=f"{tmp_path}/**/*.SAFE/GRANULE/*/IMG_DATA/R*/*_{{variable}}.jp2")

    findings = [*files_passed_over({"a": spec})]

    assert [(f.severity, f.place) for f in findings] == [("warning", f"{spec.collection}: {ZIP_NAME}")]


def test_bad_zip_as_the_place_is_refused(tmp_path):
    path = write_bad_zip(tmp_path / ZIP_NAME, BAD_ZIPS["encrypted"][0])

    with pytest.raises(ConfigurationError, match="is encrypted"):
        discover_in(path)


def test_zip_without_document_is_a_finding(tmp_path):
    path = OLD.write_zip(tmp_path)
    NEW.write_zip(tmp_path)
    copy = tmp_path / "copy.zip"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as written:
        for name in archive.namelist():
            if not name.endswith(OLD.document):
                written.writestr(name, archive.read(name))
    copy.replace(path)

    info = open_series(tmp_path)

    (finding,) = (f for f in info.findings if path.name in f.place)
    assert finding.message.startswith("left out: its product has 0 of MTD_MSIL2A.xml")
    assert len(info.variables["B02"].times) == 1
