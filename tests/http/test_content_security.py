"""HTML and SVG with text of files and configurations run no scripts, for any text."""

import pytest
from lxml import etree, html

from chronotile.core.model.style import Colour, Style, StyleClass
from tests.protocols import served

SCRIPT = "</title></text><script>alert(1)</script><img src=x onerror=alert(1)><svg onload='alert(1)'>\"'"
INFO = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES=&CRS=CRS:84"
    "&BBOX=4.45,50.8,4.55,50.9&WIDTH=32&HEIGHT=32&I=9&J=9&INFO_FORMAT=text/html"
)
ANSWERS = {
    "WMS GetFeatureInfo": INFO,
    "WMS GetFeatureInfo of two times": f"{INFO}&TIME=2020-06-01,2020-06-11",
    "WMTS GetFeatureInfo": "/wmts/1.0.0/NDVI/default/default/WebMercatorQuad/10/343/525/9/9.html",
    "legend": "/tiles/NDVI/legend.svg",
    "GetLegendGraphic": "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetLegendGraphic&LAYER=NDVI&FORMAT=image/svg%2Bxml",
    "legend of OGC API": "/ogcapi/collections/NDVI/legend?f=svg",
}
PAGES = {
    "landing page": "/?f=html",
    "OpenAPI": "/docs",
    "OGC API": "/ogcapi?f=html",
    "collections": "/ogcapi/collections?f=html",
    "collection": "/ogcapi/collections/NDVI?f=html",
    "OpenAPI of OGC API": "/ogcapi/openapi?f=html",
    "processes": "/ogcapi/processes?f=html",
    "viewer that is not built": "/viewer/",
}


@pytest.fixture
def client(make_client):
    """Client of a service with an attack in every text."""
    told = {"title": {"": SCRIPT}, "abstract": {"": SCRIPT}, "keywords": (SCRIPT,), "attribution": SCRIPT}
    classes = tuple(StyleClass(float(number), Colour(number, 0, 0), f"{number} {SCRIPT}") for number in range(250))
    style = Style(id="steps", title=SCRIPT, range=(0.0, 250.0), classes=classes)
    variable = served.make_variable(units=SCRIPT)
    layer = served.make_layer(variable=variable, styles=(style,), **told)
    return make_client(served.make_services(served.make_collection(layer, **told)))


def policy_of(answer):
    """Return the sources by directive (CSP 3 §2.2.1)."""
    directives = (each.split() for each in answer.headers["content-security-policy"].split(";") if each.strip())
    return {name.lower(): sources for name, *sources in directives}


def elements_of(answer):
    if answer.headers["content-type"].startswith("image/svg+xml"):
        return [each for each in etree.fromstring(answer.content).iter() if isinstance(each.tag, str)]
    return [each for each in html.document_fromstring(answer.text).iter() if isinstance(each.tag, str)]


@pytest.mark.parametrize("path", [*ANSWERS.values(), *PAGES.values()], ids=[*ANSWERS, *PAGES])
def test_no_script_of_a_text_runs(client, path):
    answer = client.get(path)

    found = elements_of(answer)
    assert not [
        each.tag for each in found if each.tag.rpartition("}")[2] in {"script", "iframe", "object", "foreignObject"}
    ]
    assert not [name for each in found for name in each.attrib if name.lower().startswith("on")]
    policy = policy_of(answer)
    assert policy["default-src"] == ["'none'"]
    assert not {"script-src", "script-src-elem", "script-src-attr", "object-src", "frame-src"} & policy.keys()
    assert "'unsafe-inline'" not in policy.get("style-src", [])


@pytest.mark.parametrize("path", ANSWERS.values(), ids=ANSWERS)
def test_documents_of_data_need_nothing_and_may_be_framed(client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    assert "alert(1)" in answer.text  # shown as text
    assert policy_of(answer) == {"default-src": ["'none'"], "base-uri": ["'none'"], "form-action": ["'none'"]}


@pytest.mark.parametrize("path", ["/tiles/NDVI/legend.png", "/layers", "/wms?SERVICE=WMS&REQUEST=GetCapabilities"])
def test_answer_that_cannot_run_scripts_has_no_policy(client, path):
    assert "content-security-policy" not in client.get(path).headers
