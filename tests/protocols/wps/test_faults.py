"""Refusals of WPS: reports of OWS Common 2.0 and 1.1 with the standards' codes, from the first byte on."""

import pytest

from tests.protocols.wps.conftest import element, exception_of, execute_1_0, execute_2_0, given, literal

checklist = pytest.mark.checklist

PLAIN = literal("2.0.0", "string", "a")
WRONG = [
    ("request=GetCapabilities", "MissingParameterValue", "service"),
    ("service=WMS&request=GetCapabilities", "InvalidParameterValue", "service"),
    ("service=WPS", "MissingParameterValue", "request"),
    ("service=WPS&version=3.0.0&request=GetCapabilities", "VersionNegotiationFailed", "version"),
    ("service=WPS&request=DescribeProcess&identifier=echo", "MissingParameterValue", "version"),
    ("service=WPS&version=2.0.0&request=DescribeProcess", "MissingParameterValue", "identifier"),
    ("service=WPS&version=2.0.0&request=DescribeProcess&identifier=echo,bake", "NoSuchProcess", "Identifier"),
    ("service=WPS&version=2.0.0&request=GetStatus", "MissingParameterValue", "jobid"),
    ("service=WPS&version=2.0.0&request=GetStatus&jobid=no", "NoSuchJob", "JobID"),
    ("service=WPS&version=2.0.0&request=GetResult&jobid=no", "NoSuchJob", "JobID"),
    ("service=WPS&version=2.0.0&request=Dismiss&jobid=no", "NoSuchJob", "JobID"),
    (execute_2_0(PLAIN, "string", process="bake"), "NoSuchProcess", "Identifier"),
    (execute_2_0(literal("2.0.0", "sting", "a"), "string"), "NoSuchInput", "sting"),
    (execute_2_0(PLAIN, "sting"), "NoSuchOutput", "sting"),
    (execute_2_0(PLAIN, "number"), "InvalidParameterValue", "outputs"),
    (execute_2_0(PLAIN, '<wps:Output id="string" mimeType="image/png"/>'), "NoSuchFormat", "string"),
    (execute_2_0(PLAIN, '<wps:Output id="string" transmission="post"/>'), "InvalidParameterValue", "string"),
    (execute_2_0(PLAIN, "string", mode="later"), "NoSuchMode", "mode"),
    (execute_2_0(PLAIN, "string", response="both"), "InvalidParameterValue", "response"),
    (execute_2_0(PLAIN, "string", "number", response="raw"), "InvalidParameterValue", "response"),
    (execute_2_0(literal("2.0.0", "number", "many"), "number"), "WrongInputData", "number"),
    (execute_2_0(literal("2.0.0", "number", "1e999"), "number"), "WrongInputData", "number"),
    (execute_2_0(literal("2.0.0", "number", "9" * 60), "number"), "WrongInputData", "number"),
    (execute_2_0(given("2.0.0", "object", '{"a":'), "object"), "WrongInputData", "object"),
    (execute_2_0(given("2.0.0", "binary", "not base64"), "binary"), "WrongInputData", "binary"),
    (execute_2_0(given("2.0.0", "bbox", "1,2,3"), "bbox"), "WrongInputData", "bbox"),
    (execute_2_0(PLAIN + PLAIN, "string"), "WrongInputData", "string"),
    (execute_2_0('<wps:Input id="string"/>', "string"), "WrongInputData", "string"),
    (
        execute_2_0('<wps:Input id="string"><wps:Reference xlink:href="http://a.example/"/></wps:Input>', "string"),
        "DataNotAccessible",
        "string",
    ),
    (execute_2_0('<wps:Input id="string"><wps:Reference/></wps:Input>', "string"), "DataNotAccessible", "string"),
    (execute_2_0(literal("2.0.0", "layer", "NDVJ"), "trend", process="trend"), "WrongInputData", "layer"),
    (element("2.0.0", "DescribeProcess", version="2.0.0"), "MissingParameterValue", "Identifier"),
    (element("2.0.0", "GetStatus", version="1.0.0"), "InvalidParameterValue", "version"),
    ('<Execute service="WPS" version="2.0.0"/>', "InvalidParameterValue", "version"),
    ("<a>", "InvalidParameterValue", None),
]


@checklist("wps20", "A.5.1", "A.5.2")
@pytest.mark.parametrize(("request_", "code", "locator"), WRONG)
def test_mistakes_have_codes_of_2_0(ask, request_, code, locator):
    root = ask(request_, status=400)

    assert root.nsmap["ows"] == "http://www.opengis.net/ows/2.0"
    assert exception_of(root) == (code, locator)


@checklist("wps10", "exceptions")
@pytest.mark.parametrize(
    ("request_", "code", "locator"),
    [
        ("service=WPS&version=1.0.0&request=DescribeProcess", "MissingParameterValue", "identifier"),
        ("service=WPS&version=1.0.0&request=DescribeProcess&identifier=bake", "InvalidParameterValue", "Identifier"),
        (
            "service=WPS&version=1.0.0&request=Execute&identifier=echo&datainputs=sting%3Da",
            "InvalidParameterValue",
            "sting",
        ),
        (
            "service=WPS&version=1.0.0&request=Execute&identifier=echo&datainputs=string%3Da&status=maybe",
            "InvalidParameterValue",
            "status",
        ),
        (execute_1_0(literal("1.0.0", "number", "many")), "InvalidParameterValue", "number"),
    ],
)
def test_mistakes_have_codes_of_1_0(ask, request_, code, locator):
    root = ask(request_, status=400)

    assert root.nsmap["ows"] == "http://www.opengis.net/ows/1.1"
    assert exception_of(root) == (code, locator)


@pytest.mark.parametrize(
    "request_",
    [
        "service=WPS&request=Describe",
        element("2.0.0", "Describe", version="2.0.0"),
        "service=WPS&version=2.0.0&request=Execute&identifier=echo",
        "service=WPS&version=1.0.0&request=GetResult&jobid=no",
        "service=WPS&version=1.0.0&request=Dismiss&jobid=no",
    ],
)
def test_operations_that_a_version_does_not_have_are_not_supported(ask, request_):
    assert exception_of(ask(request_, status=501))[0] == "OperationNotSupported"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "document type"),
        ("<a>" * 100 + "</a>" * 100, "deep"),
        ("<a>" + "<b/>" * 17_000 + "</a>", "elements"),
        ("<a>" + " " * (8 << 20) + "</a>", "bytes"),
    ],
)
def test_hostile_xml_is_refused_before_it_is_a_tree(ask, body, why):
    assert why in ask(body, status=400).findtext(".//{*}ExceptionText")


def test_too_long_execution_names_the_way_to_a_job(ask):
    root = ask(execute_2_0(literal("2.0.0", "pause", 60), "string"), status=400)

    assert "execute it asynchronously" in root.findtext(".//{*}ExceptionText")
    assert exception_of(root)[1] == "mode"


def test_auto_turns_a_long_execution_into_a_job(ask):
    root = ask(execute_2_0(PLAIN + literal("2.0.0", "pause", 60), "string", mode="auto"))

    assert root.findtext("{*}Status") == "Accepted"


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Host": "rebound.example"}, {"Origin": "https://elsewhere.example"}]
)
def test_pages_elsewhere_may_not_have_jobs_done(answer, validate_ogc, headers):
    query = "service=WPS&version=1.0.0&request=Execute&identifier=echo&datainputs=string%3Da"

    refused = answer(f"{query}&storeexecuteresponse=true&status=true", **headers)

    assert refused.status_code == 403
    assert validate_ogc(refused.content) == []
