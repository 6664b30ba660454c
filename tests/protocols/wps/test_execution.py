"""Results of WPS equal the bytes of OGC API - Processes: raw, in a document and by reference."""

import base64
import json
import re

import pytest
from lxml import etree

from chronotile.app.application import ServerOptions
from tests.listener import Answer
from tests.protocols.wps.conftest import document, execute_1_0, execute_2_0, given, literal, texts

checklist = pytest.mark.checklist

AREAS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "a",
            "properties": {},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[4.6, 50.8], [4.62, 50.8], [4.62, 50.82], [4.6, 50.82], [4.6, 50.8]]],
            },
        }
    ],
}
POINTS = {"type": "MultiPoint", "coordinates": [[4.6, 50.8], [4.7, 50.9]]}
EXECUTIONS = [
    ("time-series", {"layers": "NDVI", "points": POINTS}, "series"),
    ("time-series", {"layers": ["NDVI"], "points": POINTS, "format": "json"}, "series"),
    ("time-series", {"layers": ["NDVI"], "points": POINTS, "format": "parquet"}, "series"),
    ("zonal-statistics", {"layer": "NDVI", "places": {"value": AREAS}, "reducers": ["mean", "max"]}, "statistics"),
    ("zonal-statistics", {"layer": "NDVI", "places": "squares", "format": "geojson"}, "statistics"),
    (
        "histogram",
        {"layer": "NDVI", "bins": 4, "range": [0, 200], "bbox": {"bbox": [4.6, 50.8, 4.7, 50.9]}},
        "histogram",
    ),
    ("trend", {"layer": "NDVI", "bbox": {"bbox": [4.6, 50.8, 4.61, 50.81]}}, "trend"),
]


def element_of(version, name, value):
    """Return an input as XML."""
    values = value if isinstance(value, list) else [value]
    if not isinstance(values[0], dict):
        return "".join(literal(version, name, each) for each in values)
    if "bbox" in value:
        west, south, east, north = value["bbox"]
        box = "ows:BoundingBox" if version == "2.0.0" else "wps:BoundingBoxData"
        corners = f"<ows:LowerCorner>{west} {south}</ows:LowerCorner><ows:UpperCorner>{east} {north}</ows:UpperCorner>"
        return given(version, name, f"<{box}>{corners}</{box}>")
    held = json.dumps(value.get("value", value))
    if version == "2.0.0":
        return given(version, name, held).replace("<wps:Data>", '<wps:Data mimeType="application/geo+json">')
    return given(version, name, f'<wps:ComplexData mimeType="application/json">{held}</wps:ComplexData>')


def content_of(root):
    """Return the bytes of the only output of a document."""
    (data,) = root.iterfind(".//{*}Output/{*}Data")
    held = data if data.get("mimeType") else data[0]
    text = held.text or ""
    return base64.b64decode(text) if held.get("encoding") == "base64" else text.encode()


CORNERS = "<ows:UpperCorner>3 4</ows:UpperCorner><ows:LowerCorner>1 2</ows:LowerCorner>"


@pytest.mark.parametrize(
    ("held", "output", "expected"),
    [
        (literal("2.0.0", "number", 10**18), "number", b"1000000000000000000"),
        (given("2.0.0", "bbox", f"<ows:BoundingBox>{CORNERS}</ows:BoundingBox>"), "bbox", b"[1.0,2.0,3.0,4.0]"),
        (
            given("2.0.0", "bbox", f"<ows:WGS84BoundingBox>{CORNERS}</ows:WGS84BoundingBox>"),
            "bbox",
            b"[1.0,2.0,3.0,4.0]",
        ),
    ],
)
def test_values_are_converted_to_the_type_of_the_input(answer, held, output, expected):
    assert expected in answer(execute_2_0(held, f"<wps:Output id='{output}'/>", response="raw")).content


def test_text_is_accepted_instead_of_json(client, answer):
    body = {"inputs": {"layer": "NDVI", "places": "squares"}, "outputs": {"statistics": {}}, "response": "raw"}
    expected = client.post("/ogcapi/processes/zonal-statistics/execution", json=body)
    places = given("2.0.0", "places", "squares").replace("<wps:Data>", '<wps:Data mimeType="application/json">')
    held = literal("2.0.0", "layer", "NDVI") + places

    assert (
        answer(execute_2_0(held, "statistics", process="zonal-statistics", response="raw")).content == expected.content
    )


@checklist("wps20", "A.5.3", "A.5.5", "A.5.6", "A.5.11")
@checklist("wps10", "Execute")
@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
@pytest.mark.parametrize(("process", "inputs", "output"), EXECUTIONS)
def test_results_equal_those_of_ogc_api_byte_for_byte(client, ask, answer, version, process, inputs, output):
    expected = client.post(f"/ogcapi/processes/{process}/execution", json={"inputs": inputs})
    held = "".join(element_of(version, name, value) for name, value in inputs.items())

    if version == "2.0.0":
        raw = answer(execute_2_0(held, output, process=process, response="raw"))
        inline = ask(execute_2_0(held, f'<wps:Output id="{output}" transmission="value"/>', process=process))
        linked = ask(execute_2_0(held, f'<wps:Output id="{output}" transmission="reference"/>', process=process))
        href = linked.find(".//{*}Reference").get("{http://www.w3.org/1999/xlink}href")
    else:
        form = f"<wps:RawDataOutput><ows:Identifier>{output}</ows:Identifier></wps:RawDataOutput>"
        raw = answer(execute_1_0(held, form, process=process))
        inline = ask(execute_1_0(held, document(output), process=process))
        linked = ask(execute_1_0(held, document(output, of_output='asReference="true"'), process=process))
        href = linked.find(".//{*}Reference").get("href")

    assert expected.status_code == 200
    assert (raw.content, raw.headers["content-type"]) == (expected.content, expected.headers["content-type"])
    assert content_of(inline) == expected.content
    assert client.get(href).content == expected.content


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_a_format_is_chosen_by_its_media_type(ask, version):
    held = element_of(version, "layers", "NDVI") + element_of(version, "points", POINTS)

    if version == "2.0.0":
        output = '<wps:Output id="series" mimeType="application/json" encoding="UTF-8"/>'
        root = ask(execute_2_0(held, output, process="time-series"))
    else:
        root = ask(
            execute_1_0(held, document("series", of_output='mimeType="application/json"'), process="time-series")
        )

    assert root.find(".//{*}Output//*[@mimeType='application/json']") is not None
    assert json.loads(content_of(root))


VALUES = {
    "string": "é <&>\r\n ]]>",
    "number": 3.5,
    "array": [1],
    "object": {"value": "x"},
    "bbox": {"bbox": [50.0, 4.0, 51.0, 5.5], "crs": "EPSG:4326"},
    "mixed": "three",
    "binary": base64.b64encode(bytes(range(256))).decode(),
}


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_every_kind_of_value_is_accepted_and_returned(ask, version):
    text = VALUES["string"].replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;").replace(">", "&gt;")
    held = [literal(version, "string", text), *(literal(version, name, VALUES[name]) for name in ("number", "mixed"))]
    held += [literal(version, "array", 1), element_of(version, "object", {"value": VALUES["object"]})]
    crs, box = 'crs="epsg:4326"', element_of(version, "bbox", VALUES["bbox"])
    held += [re.sub("<(ows:BoundingBox|wps:BoundingBoxData)>", rf"<\1 {crs}>", box)]
    held += [given(version, "binary", VALUES["binary"])]
    if version == "1.0.0":
        held[-1] = given(version, "binary", f'<wps:ComplexData encoding="base64">{VALUES["binary"]}</wps:ComplexData>')
    root = ask(execute_2_0("".join(held)) if version == "2.0.0" else execute_1_0("".join(held)))

    outputs = {each.get("id") or each.findtext("{*}Identifier"): each for each in root.iter("{*}Output")}
    data = {name: each.find("{*}Data") for name, each in outputs.items()}
    assert set(outputs) == set(VALUES)
    for name in ("string", "number", "mixed"):
        assert "".join(data[name].itertext()) == str(VALUES[name])
    assert json.loads("".join(data["array"].itertext())) == VALUES["array"]
    assert json.loads("".join(data["object"].itertext())) == VALUES["object"]
    assert "".join(data["binary"].itertext()) == VALUES["binary"]
    assert [float(number) for corner in data["bbox"][0] for number in corner.text.split()] == VALUES["bbox"]["bbox"]
    assert data["bbox"][0].get("crs") == "EPSG:4326"


@checklist("wps10", "Execute KVP")
def test_key_value_pairs_have_values_attributes_and_a_form(ask, answer):
    inputs = "string%3Da%252540b%3Bnumber%3D5.5%40dataType%3Ddouble%3Bbbox%3D46,102,47,103,urn:ogc:def:crs:EPSG::4326,2"
    query = f"service=WPS&version=1.0.0&request=Execute&identifier=echo&datainputs={inputs}"

    root = ask(f"{query}&responsedocument=string;number;bbox%40asReference%3Dtrue&lineage=true")
    raw = answer(f"{query}&rawdataoutput=string")

    assert texts(root, ".//{*}ProcessOutputs//{*}LiteralData") == ["a%40b", "5.5"]
    assert texts(root, "{*}DataInputs/{*}Input/{*}Identifier") == ["string", "number", "bbox"]
    assert [each.get("asReference") for each in root.iterfind("{*}OutputDefinitions/*")] == ["false", "false", "true"]
    assert (raw.text, raw.headers["content-type"]) == ("a%40b", "text/plain;charset=utf-8")


@pytest.mark.slow
class TestReferences:
    """Inputs by reference to an allowed location."""

    @pytest.fixture
    def options(self, desk, web):
        json_ = {"Content-Type": "application/json"}
        web.answers = {
            "/in/areas": Answer(body=json.dumps(AREAS).encode(), headers=json_),
            "/in/text": Answer(body=b"vehicle", headers={"Content-Type": "text/plain"}),
            "/secret": Answer(body=b"vehicle", headers={"Content-Type": "text/plain"}),
        }
        return ServerOptions(jobs=desk, input_prefixes=[f"{web.url}/in/"])

    @checklist("wps20", "A.5.4")
    @pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
    def test_are_fetched_as_ogc_api_fetches_them(self, client, answer, ask, web, version):
        def lies(name, path):
            reference = f'<wps:Reference xlink:href="{web.url}{path}"/>'
            return given(version, name, "").replace("<wps:Data></wps:Data>", reference)

        inputs = {"layer": "NDVI", "places": {"href": f"{web.url}/in/areas"}}
        expected = client.post("/ogcapi/processes/zonal-statistics/execution", json={"inputs": inputs})
        held = literal(version, "layer", "NDVI") + lies("places", "/in/areas")
        write = execute_2_0 if version == "2.0.0" else execute_1_0

        assert content_of(ask(write(held, process="zonal-statistics"))) == expected.content
        assert "".join(ask(write(lies("string", "/in/text"))).find(".//{*}Output/{*}Data").itertext()) == "vehicle"
        refused = ask(write(lies("string", "/secret")), status=400)
        code = "DataNotAccessible" if version == "2.0.0" else "InvalidParameterValue"
        assert refused[0].attrib == {"exceptionCode": code, "locator": "string"}
        assert "/secret" not in web.paths()


@checklist("wps20", "A.5.11", "A.5.12", "A.5.13", "A.5.15", "A.5.19")
def test_last_literal_and_last_complex_input_of_the_suite_are_returned(ask, answer):
    described = ask("service=WPS&version=2.0.0&request=DescribeProcess&identifier=echo")
    last = {
        (etree.QName(each).localname, etree.QName(data).localname): each.findtext("{*}Identifier")
        for each in described.iter("{*}Input", "{*}Output")
        for data in each.iterchildren("{*}LiteralData", "{*}ComplexData")
    }
    text = literal("2.0.0", last["Input", "LiteralData"], "hello_literal")
    xml = "<wps:ComplexData>\n <testElement>hello_complex</testElement>\n</wps:ComplexData>"
    output = last["Output", "LiteralData"]

    for mode in ("sync", "auto"):
        assert "hello_literal" in answer(execute_2_0(text, output, mode=mode, response="raw")).text
    complex_ = answer(
        execute_2_0(given("2.0.0", last["Input", "ComplexData"], xml), last["Output", "ComplexData"], response="raw")
    )
    for response in ("document", "raw"):
        accepted = ask(execute_2_0(text, output, mode="async", response=response))
        job = accepted.findtext("{*}JobID")
        query = f"service=WPS&version=2.0.0&jobid={job}&request="
        assert texts(ask(f"{query}GetStatus"), "{*}Status") == ["Succeeded"]
        result = ask(f"{query}GetResult")
        assert etree.QName(result).localname == {"document": "Result", "raw": "LiteralValue"}[response]
        assert "hello_literal" in {result.text, *texts(result, ".//{*}LiteralValue")}
    assert etree.fromstring(complex_.content).text == "hello_complex"
