"""WPS offers the processes of OGC API - Processes, described by their schemas in both versions."""

import pytest

from chronotile.jobs.processes.registry import processes
from tests.protocols.wps.conftest import element, texts

checklist = pytest.mark.checklist


@checklist("wps20", "A.5.1", "A.5.2", "A.5.7", "A.5.9", "A.5.16")
@checklist("wps10", "GetCapabilities")
@pytest.mark.parametrize(
    ("request_", "version"),
    [
        ("service=WPS&request=GetCapabilities", "2.0.0"),
        ("SERVICE=WPS&VERSION=2.0.0&REQUEST=GetCapabilities", "2.0.0"),
        ("service=WPS&version=1.0.0&request=GetCapabilities", "1.0.0"),
        ("service=WPS&acceptversions=3.0.0,1.0.0&request=GetCapabilities", "1.0.0"),
        (element("2.0.0", "GetCapabilities"), "2.0.0"),
        (element("1.0.0", "GetCapabilities"), "1.0.0"),
        (
            element(
                "1.0.0",
                "GetCapabilities",
                "<ows:AcceptVersions><ows:Version>2.0.0</ows:Version></ows:AcceptVersions>",
            ),
            "2.0.0",
        ),
    ],
)
def test_capabilities_list_every_process_once_in_the_version_that_is_spoken(ask, request_, version):
    root = ask(request_)

    named = "{*}Contents/{*}ProcessSummary" if version == "2.0.0" else "{*}ProcessOfferings/{*}Process"
    assert root.get("version") == version
    assert texts(root, f"{named}/{{*}}Identifier") == list(processes())


@checklist("wps20", "A.4.1", "A.4.3", "A.5.10", "A.5.17")
@checklist("wps10", "DescribeProcess")
@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_all_processes_are_described_and_one_by_post_as_by_get(ask, answer, version):
    query = f"service=WPS&version={version}&request=DescribeProcess&identifier="
    posted = element(version, "DescribeProcess", "<ows:Identifier>echo</ows:Identifier>", version=version)

    assert len(list(ask(f"{query}ALL"))) == len(processes())
    assert answer(posted).content == answer(f"{query}echo").content
    assert len(list(ask(f"{query}trend,echo,trend"))) == 2


def test_inputs_are_described_by_their_schemas(ask):
    root = ask("service=WPS&version=2.0.0&request=DescribeProcess&identifier=echo,zonal-statistics")
    inputs = {
        each.findtext("{*}Identifier"): each for process in root.iter("{*}Process") for each in process.iter("{*}Input")
    }

    assert inputs["format"].findtext(".//{*}DefaultValue") == "csv"
    assert texts(inputs["format"], ".//{*}Value") == ["csv", "geojson", "parquet"]
    assert texts(inputs["number"], ".//{*}Range/*") == ["0", "100"]
    assert texts(inputs["mixed"], ".//{*}DataType") == ["string"]
    assert (inputs["array"].get("minOccurs"), inputs["array"].get("maxOccurs")) == ("0", "100")
    assert (inputs["places"].get("minOccurs"), inputs["places"].get("maxOccurs")) == ("1", "1")
    assert [each.get("mimeType") for each in inputs["places"].iter("{*}Format")] == [
        "application/json",
        "application/geo+json",
        "text/plain",
    ]
    assert inputs["binary"].find(".//{*}Format").get("encoding") == "base64"
    assert texts(inputs["bbox"], ".//{*}SupportedCRS") == ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]


def test_outputs_have_the_formats_that_a_process_writes(ask):
    root = ask("service=WPS&version=1.0.0&request=DescribeProcess&identifier=time-series")

    formats = [(each.findtext("MimeType"), each.findtext("Encoding")) for each in root.iterfind(".//Supported/Format")]
    assert formats[-3:] == [
        ("text/csv", None),
        ("application/json", None),
        ("application/vnd.apache.parquet", "base64"),
    ]


def test_documents_are_cached_by_their_content(answer):
    first = answer("service=WPS&request=GetCapabilities")

    again = answer("service=WPS&request=GetCapabilities", **{"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
