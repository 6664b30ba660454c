"""Numbers of Sentinel-2 images by the documents of their products."""

from pathlib import Path

import pytest

from chronotile.archive.source_states import source_states
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.readers.file_states import file_state
from chronotile.readers.raster import sentinel2
from chronotile.readers.raster.sentinel2 import image_numbers
from chronotile.readers.raster.source import open_rasters
from tests.odd_archives.safe import SafeProduct
from tests.scenes import make_spec

NEW = SafeProduct(baseline="04.00", offset=-1000)


def path_of(folder, product: SafeProduct, band: str, text: str | None = None) -> str:
    """Write the document of a product; return the path of an image, which is not written."""
    place = folder / product.name
    place.mkdir()
    (place / product.document).write_text(product.metadata if text is None else text)
    return str(place / product.image(band, 10))


def test_image_has_the_quantification_and_offset_of_its_band(tmp_path):
    assert image_numbers(path_of(tmp_path, NEW, "B8A")) == (0.0001, -0.1008, 0, None)


def test_image_of_an_older_baseline_has_no_offset(tmp_path):
    assert image_numbers(path_of(tmp_path, SafeProduct(), "B02")) == (0.0001, 0, 0, None)


def test_image_of_level_1c_has_the_radiometric_offset(tmp_path):
    product = SafeProduct(level="1C", baseline="04.00", offset=-1000)

    assert image_numbers(path_of(tmp_path, product, "B10")) == (0.0001, -0.101, 0, None)


def test_water_vapour_is_in_its_units(tmp_path):
    assert image_numbers(path_of(tmp_path, NEW, "WVP")) == (0.001, 0, 0, "cm")


def test_scene_classes_are_unscaled(tmp_path):
    assert image_numbers(path_of(tmp_path, NEW, "SCL")) == (1, 0, 0, None)


def test_replaced_document_is_read_again(tmp_path):
    path = path_of(tmp_path, NEW, "B02")
    image_numbers(path)
    document = tmp_path / NEW.name / NEW.document
    document.write_text(NEW.metadata.replace(">10000<", ">20000<"))

    assert image_numbers(path).scale == 1 / 20_000


def test_state_of_an_image_includes_its_document(tmp_path):
    path, document = path_of(tmp_path, NEW, "B02"), tmp_path / NEW.name / NEW.document
    Path(path).parent.mkdir(parents=True)
    Path(path).touch()
    states = [file_state(path)]
    document.write_text(NEW.metadata.replace(">10000<", ">20000<"))
    states.append(file_state(path))
    document.unlink()
    states.append(file_state(path))

    assert len(set(states)) == 3
    assert len({state.text for state in states}) == 3


def test_band_that_cannot_be_opened_leaves_the_other_bands(tmp_path):
    place = NEW.write(tmp_path)
    (place / NEW.image("B03", 10)).write_bytes(b"no JPEG 2000")
    variables = {band: VariableSpec(id=band) for band in ("B03", "B04")}
    spec = make_spec("cog", place / NEW.granule / "IMG_DATA/R10m/*_{variable}_10m.jp2", variables=variables)

    info = open_rasters(spec).info

    (finding,) = info.findings
    assert [*info.variables] == ["B04"]
    assert finding.place == "B03"
    assert finding.message.startswith("left out: T32TQM_20200104T101319_B03_10m.jp2 cannot be opened")


def test_image_whose_document_follows_is_added_to_the_source(tmp_path):
    for product in (NEW, SafeProduct(sensed="20210104T101319")):
        product.write(tmp_path)
    document = tmp_path / NEW.name / NEW.document
    document.unlink()
    href = f"{tmp_path}/*.SAFE/GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2"
    spec = make_spec("cog", href, variables={"B02": VariableSpec(id="B02")})
    before = source_states({"a": spec}), open_rasters(spec).info.variables["B02"].times
    document.write_text(NEW.metadata)
    after = source_states({"a": spec}), open_rasters(spec).info.variables["B02"].times

    assert before[0] != after[0]
    assert (len(before[1]), len(after[1])) == (1, 2)


@pytest.mark.parametrize(
    "path", ["/a/T32TQM_20200104T101319_B02_10m.jp2", "/a.SAFE/GRANULE/b/QI_DATA/MSK_CLDPRB_20m.jp2"]
)
def test_other_files_have_no_document(path):
    assert image_numbers(path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not well-formed"),
        (NEW.metadata[:900], "not well-formed"),
        (NEW.metadata.replace("<n1:", "<!DOCTYPE a [<!ENTITY b 'c'>]><n1:", 1), "document type"),
        (NEW.metadata.replace("</n1:", f"{'<a/>' * 20_000}</n1:", 1), "more than 16384 elements"),
        (NEW.metadata.replace("</n1:", f"{'a' * sentinel2.MAX_BYTES}</n1:", 1), "are read"),
        (NEW.metadata.replace("BOA_QUANT", "OTHER_QUANT"), "no number for BOA_QUANTIFICATION_VALUE"),
        (NEW.metadata.replace(">10000<", ">0<"), "not above 0"),
        (NEW.metadata.replace(">10000<", ">nan<"), "no number for BOA_QUANTIFICATION_VALUE"),
        (NEW.metadata.replace('OFFSET band_id="3"', 'OFFSET band_id="99"'), "no number for BOA_ADD_OFFSET"),
        (NEW.metadata.replace("NODATA", "NOTHING"), "no number for Special_Values"),
    ],
)
def test_unusable_document_is_refused_by_name(tmp_path, text, words):
    with pytest.raises(UnsupportedSource, match=rf"MTD_MSIL2A\.xml.*{words}"):
        image_numbers(path_of(tmp_path, NEW, "B04", text))


def test_product_without_document_is_refused(tmp_path):
    path = path_of(tmp_path, NEW, "B04")
    (tmp_path / NEW.name / NEW.document).unlink()

    with pytest.raises(UnsupportedSource, match=r"has 0 of MTD_MSIL2A\.xml and MTD_MSIL1C\.xml"):
        image_numbers(path)


def test_missing_offset_concerns_only_its_band(tmp_path):
    path = path_of(tmp_path, NEW, "B04", NEW.metadata.replace('OFFSET band_id="3"', 'OFFSET band_id="99"'))

    assert image_numbers(path.replace("B04", "B02")) == (0.0001, -0.1001, 0, None)


def test_document_that_cannot_be_opened_is_refused(tmp_path):
    path = path_of(tmp_path, NEW, "B04")
    (tmp_path / NEW.name / NEW.document).unlink()
    (tmp_path / NEW.name / NEW.document).mkdir()

    with pytest.raises(UnsupportedSource, match=r"MTD_MSIL2A\.xml"):
        image_numbers(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"a/{NEW.name}/manifest.safe", True),
        ("S1A_IW_GRDH_1SDV_20200104T101319.SAFE/measurement/a.tiff", False),
        (NEW.name, False),
    ],
)
def test_only_folders_of_sentinel_2_are_products(path, expected):
    assert sentinel2.is_in_product(path) == expected
