"""Members of ZIP files, compared with the files of the same products; ZIP files that must not be read."""

import os
import shutil
import struct
import zipfile
import zlib
from contextlib import suppress

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import DateUnreadable, UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.file_states import file_state
from chronotile.readers.library_errors import Damaged, opening
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.sentinel2 import image_numbers
from chronotile.readers.raster.source import open_rasters
from chronotile.readers.safe_zips import (
    MemberFile,
    ZipMember,
    find_faulty_zips,
    find_members,
    members_of,
    open_member,
    read_start,
)
from tests.odd_archives.bad_zips import BAD_ZIPS, PRODUCT, ZIP_NAME, add, write_bad_zip
from tests.odd_archives.safe import IMAGES, SafeProduct
from tests.scenes import make_spec

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
SEED = 20260601
WHOLE = Window(0, 192, 0, 192)
ALL_IMAGES = [(band, metres) for metres, bands in IMAGES.items() for band in bands]


@pytest.fixture(scope="module", params=METHODS, ids=["stored", "deflated"])
def zip_file(request, tmp_path_factory):
    return PRODUCT.write_zip(tmp_path_factory.mktemp("zips"), compression=request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return PRODUCT.write(tmp_path_factory.mktemp("folders"))


def path_in(zip_file, product: SafeProduct = PRODUCT, band: str = "B02", metres: int = 10) -> str:
    return f"{zip_file}/{product.name}/{product.image(band, metres)}"


def read(path: str, pool: HandlePool | None = None) -> np.ndarray:
    with opening("it"), (pool or HandlePool(max_idle=0)).lend(path) as handle:
        return handle.read(1, WHOLE)


def zip_of(path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.every_case
@pytest.mark.parametrize(("band", "metres"), ALL_IMAGES)
def test_image_in_a_zip_equals_rasterio_on_the_folder(zip_file, folder, band, metres):
    with rasterio.open(folder / PRODUCT.image(band, metres)) as file:
        np.testing.assert_array_equal(read(path_in(zip_file, PRODUCT, band, metres)), file.read(1))


def test_numbers_come_from_the_document_in_the_zip(zip_file, folder):
    assert image_numbers(path_in(zip_file)) == image_numbers(str(folder / PRODUCT.image("B02", 10)))


@pytest.mark.parametrize("compression", METHODS)
def test_any_range_of_a_member_equals_its_bytes(tmp_path, compression):
    rng = np.random.default_rng(SEED)
    content = rng.integers(0, 9, 900_000, dtype="uint8").tobytes()
    path = zip_of(tmp_path / "a.zip", {f"{PRODUCT.name}/GRANULE/a/IMG_DATA/a.jp2": content}, compression)
    member = open_member(f"{path}/{PRODUCT.name}/GRANULE/a/IMG_DATA/a.jp2")

    for offset, size in [(0, 10), (899_990, 50), *rng.integers(0, 900_000, (30, 2)).tolist(), (900_000, 1)]:
        assert member.read(offset, size) == content[offset : offset + size]


def test_member_without_its_last_compressed_bytes_ends_early(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a": np.random.default_rng(SEED).bytes(100_000)})
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("a")
    facts = ZipMember(info.header_offset, 60_000, info.file_size, info.CRC, is_deflated=True)
    member = MemberFile(str(path), "a", facts)

    assert 0 < len(member.read(0, 100_000)) < 100_000
    assert member.read(99_000, 10) == b""


def test_member_ends_with_its_stream_if_its_sizes_are_larger(tmp_path):
    content = np.random.default_rng(SEED).bytes(100_000)
    path = zip_of(tmp_path / "a.zip", {"a": content, "b": content})
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("a")
    facts = ZipMember(info.header_offset, info.compress_size + 60_000, 10**9, info.CRC, is_deflated=True)
    member = MemberFile(str(path), "a", facts)

    assert member.read(0, 200_000) == content
    assert member.read(500_000, 10) == member.read(500_000, 10) == b""
    assert member.read(50_000, 10) == content[50_000:50_010]


@pytest.mark.every_case
@pytest.mark.parametrize("name", BAD_ZIPS)
def test_bad_zip_is_refused_by_member(tmp_path, name):
    change, words = BAD_ZIPS[name]
    path = write_bad_zip(tmp_path / ZIP_NAME, change)

    with pytest.raises(Damaged) as refused:
        members_of(str(path))

    assert words in str(refused.value)
    assert dict(find_faulty_zips(f"{tmp_path}/**/*.SAFE/*")) == {str(path): str(refused.value)}


def test_name_in_an_extra_field_is_ignored(tmp_path):
    """Python 3.12 and later use it unchecked."""
    name = f"{PRODUCT.name}/{PRODUCT.image('B02', 10)}"
    info = zipfile.ZipInfo(name)
    field = struct.pack("<BL", 1, zlib.crc32(name.encode())) + b"/etc/a.jp2"
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, b"a")

    assert list(members_of(str(tmp_path / "a.zip"))) == [name]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(100)])
def test_damaged_zip_is_refused_only_if_named_as_product(tmp_path, content):
    for name in (ZIP_NAME, "other.zip"):
        (tmp_path / name).write_bytes(content)

    assert members_of(str(tmp_path / "other.zip")) == {}
    with pytest.raises(Damaged, match="cannot be read as a ZIP file"):
        members_of(str(tmp_path / ZIP_NAME))


def test_any_damage_of_a_zip_is_an_os_error(tmp_path):
    """Each byte of a small ZIP file has other bits once."""
    path = write_bad_zip(tmp_path / ZIP_NAME, add("a"))
    content, document = path.read_bytes(), f"{path}/{PRODUCT.name}/{PRODUCT.document}"
    rng = np.random.default_rng(SEED)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        with suppress(OSError):
            read_start(document, 1 << 20)


def test_cut_off_zip_is_refused(tmp_path, zip_file):
    path = tmp_path / ZIP_NAME
    path.write_bytes(zip_file.read_bytes()[:-100])

    with pytest.raises(UnsupportedSource, match="cannot be read as a ZIP file"):
        read(path_in(path))


def test_zip_of_another_mission_is_no_product(tmp_path):
    assert members_of(str(zip_of(tmp_path / "a.zip", {"S1A_IW.SAFE/../a": b""}))) == {}


def test_member_without_local_header_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {f"{PRODUCT.name}/GRANULE/a/IMG_DATA/a.jp2": b"a"})
    path.write_bytes(path.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05"))

    with pytest.raises(Damaged, match=r"a\.jp2' is not at the position"):
        open_member(f"{path}/{PRODUCT.name}/GRANULE/a/IMG_DATA/a.jp2")


def test_position_of_another_member_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {f"{PRODUCT.name}/GRANULE/a/IMG_DATA/a.jp2": b"a"})
    path.write_bytes(path.read_bytes().replace(b"a.jp2", b"b.jp2", 1))

    with pytest.raises(Damaged, match=r"a\.jp2' has another name"):
        open_member(f"{path}/{PRODUCT.name}/GRANULE/a/IMG_DATA/a.jp2")


@pytest.mark.parametrize("content", [b"", b"a", b"II*\0" + bytes(99), b"<VRTDataset/>"])
def test_image_that_is_not_jpeg_2000_is_refused(tmp_path, content):
    path = zip_of(tmp_path / "a.zip", {f"{PRODUCT.name}/{PRODUCT.image('B02', 10)}": content})

    with pytest.raises(UnsupportedSource, match="it is not JPEG 2000, or damaged"):
        read(path_in(path))


def test_missing_member_is_refused(zip_file):
    with pytest.raises(UnsupportedSource, match="its ZIP file lacks the member"):
        read(path_in(zip_file, band="B99"))


@pytest.mark.parametrize("member", ["<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>"])
def test_damaged_document_in_a_zip_is_refused(tmp_path, member):
    path = zip_of(tmp_path / "a.zip", {f"{PRODUCT.name}/{PRODUCT.document}": member.encode()})

    with pytest.raises(UnsupportedSource, match=r"MTD_MSIL2A\.xml cannot be used"):
        image_numbers(path_in(path))


def test_document_with_another_checksum_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {f"{PRODUCT.name}/{PRODUCT.document}": PRODUCT.metadata.encode()}, 0)
    path.write_bytes(path.read_bytes().replace(b">10000<", b">20000<"))

    with pytest.raises(UnsupportedSource, match=r"MTD_MSIL2A\.xml cannot be read: the compressed bytes are damaged"):
        image_numbers(path_in(path))


def damage(path, part: float) -> None:
    """Change a byte at a part of the bytes of a member of a ZIP file."""
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if "_B02_10m" in info.filename)
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + int(part * info.compress_size)] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("part", [0.5, 0.7, 0.95])
def test_damaged_image_in_a_zip_is_not_served(tmp_path, zip_file, part):
    path = tmp_path / ZIP_NAME
    shutil.copy(zip_file, path)
    damage(path, part)

    with pytest.raises(UnsupportedSource):
        read(path_in(path))


def test_damaged_image_is_served_after_its_zip_was_copied_again(tmp_path, zip_file):
    path, pool = tmp_path / ZIP_NAME, HandlePool()
    shutil.copy(zip_file, path)
    damage(path, 0.7)
    with pytest.raises(UnsupportedSource):
        read(path_in(path), pool)
    shutil.copy(zip_file, path)

    np.testing.assert_array_equal(read(path_in(path), pool), read(path_in(zip_file)))


def test_replaced_zip_is_read_again(tmp_path, zip_file):
    path = shutil.copy(zip_file, tmp_path / "a.zip")
    pool, before = HandlePool(), file_state(path_in(path))
    first = read(path_in(path), pool)
    other = SafeProduct(sensed=PRODUCT.sensed, baseline="04.00", offset=-2000).write_zip(tmp_path / "other")
    os.utime(other, ns=(0, 0))
    other.replace(path)

    assert file_state(path_in(path)) != before
    np.testing.assert_array_equal(read(path_in(path), pool)[:, 1:], first[:, 1:] + 1000)
    assert image_numbers(path_in(path)).offset == pytest.approx(-0.2001)


def test_zip_replaced_by_one_without_document_is_unreadable(tmp_path):
    for product in (PRODUCT, SafeProduct()):
        path = product.write_zip(tmp_path)
    href = f"{tmp_path}/*.zip/*.SAFE/GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2"
    reader = open_rasters(make_spec("cog", href, variables={"B02": VariableSpec(id="B02")}))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if "MTD_MSI" not in name}
    zip_of(path, members)

    assert reader.read_window("B02", index=1, level=0, window=WHOLE).numbers.any()
    with pytest.raises(DateUnreadable):
        reader.read_window("B02", index=0, level=0, window=WHOLE)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("**/*_MSIL2A_*.SAFE/GRANULE/*/IMG_DATA/R*/T32TQM_*_B02_10m.jp2", 1),
        ("*.zip/*.SAFE/GRANULE/*/IMG_DATA/R10m/*.jp2", 6),
        ("*/*.SAFE/**/*_B0?_?0m.jp2", 8),
        ("*.zip/*.SAFE/*/*.jp2", 0),
        ("*.SAFE/GRANULE/*/IMG_DATA/R10m/*.jp2", 0),
        ("**/R10m/*.jp2", 0),
    ],
)
def test_pattern_matches_members_as_files_of_a_folder(zip_file, pattern, count):
    assert len([*find_members(f"{zip_file.parent}/{pattern}")]) == count


@pytest.mark.parametrize("start", ["**", "*.zip"])
@pytest.mark.parametrize("hidden", [".a.zip", ".b/a.zip"])
def test_pattern_matches_no_hidden_zip(tmp_path, zip_file, hidden, start):
    (tmp_path / hidden).parent.mkdir(exist_ok=True)
    shutil.copy(zip_file, tmp_path / hidden)

    assert [*find_members(f"{tmp_path}/{start}/*.SAFE/**/*.jp2")] == []


def test_unpacked_folder_may_be_named_like_a_zip(tmp_path, folder):
    place = shutil.copytree(folder, tmp_path / "a.zip" / folder.name)

    np.testing.assert_array_equal(
        read(str(place / PRODUCT.image("B02", 10))), read(str(folder / PRODUCT.image("B02", 10)))
    )
