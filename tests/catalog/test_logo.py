"""Accepted and refused files of the logo."""

import pytest

from chronotile.catalog.logo import MAX_LOGO_BYTES, read_logo
from chronotile.core.errors import UnknownPath
from tests.catalog.conftest import SMALLEST
from tests.logos import logo_bytes

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PNG = logo_bytes()


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_first_bytes_decide_the_format_of_a_logo(tmp_path, kind, media_type):
    file = tmp_path / "logo.gif"
    file.write_bytes(logo_bytes(kind))

    logo = read_logo(file)

    assert (logo.body, logo.media_type) == (file.read_bytes(), media_type)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (SVG, "not a picture in PNG"),
        (b"\n" + PNG, "not a picture in PNG"),
        (b"RIFF\x04\x00\x00\x00WAVE", "not a picture in PNG"),
        (logo_bytes("GIF"), "not a picture in PNG"),
        (b"", "not a picture in PNG"),
        (PNG.ljust(MAX_LOGO_BYTES + 1), "too large; at most 200000 bytes"),
    ],
)
def test_other_files_are_refused_as_logo(tmp_path, body, problem):
    file = tmp_path / "logo.png"
    file.write_bytes(body)

    with pytest.raises(UnknownPath, match=problem):
        read_logo(file)


def test_logo_of_the_largest_size_is_accepted(tmp_path):
    file = tmp_path / "logo.png"
    file.write_bytes(PNG.ljust(MAX_LOGO_BYTES))

    assert read_logo(file).format == "png"


@pytest.mark.parametrize("name", ["none.png", "."])
def test_missing_logo_is_refused(tmp_path, name):
    with pytest.raises(UnknownPath, match="is missing"):
        read_logo(tmp_path / name)


def test_path_of_logo_starts_at_the_configuration(load, tmp_path):
    service = load(f"service: {{logo: pictures/logo.png}}\n{SMALLEST}").service

    assert service.info(tmp_path).logo == tmp_path / "pictures" / "logo.png"


def test_url_is_refused_as_logo(mistakes_of):
    (mistake,) = mistakes_of(f"service: {{logo: 'https://example.org/logo.png'}}\n{SMALLEST}")

    assert mistake.startswith("config.yaml:1: service.logo: 'https://example.org/logo.png' is not a path")
