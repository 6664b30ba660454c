"""Fixtures of WPS tests: a server with a table of jobs, and requests with valid answers."""

from collections.abc import Callable

import pytest
from lxml import etree
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from tests.places import make_places
from tests.protocols import served

SPACES = {
    "1.0.0": {"wps": "http://www.opengis.net/wps/1.0.0", "ows": "http://www.opengis.net/ows/1.1"},
    "2.0.0": {"wps": "http://www.opengis.net/wps/2.0", "ows": "http://www.opengis.net/ows/2.0"},
}
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'


def element(spoken: str, name: str, content: str = "", **attributes: str) -> str:
    """Return a request in XML, in the namespaces of a version."""
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES[spoken].items())
    given = " ".join(f'{key}="{value}"' for key, value in {"service": "WPS", **attributes}.items())
    return f"<wps:{name} {spaces} {XLINK} {given}>{content}</wps:{name}>"


def execute_2_0(
    inputs: str, *outputs: str, process: str = "echo", mode: str = "sync", response: str = "document"
) -> str:
    """Return an Execute of WPS 2.0; inputs and outputs are elements, an output may be its name."""
    wanted = "".join(each if each.startswith("<") else f'<wps:Output id="{each}"/>' for each in outputs)
    content = f"<ows:Identifier>{process}</ows:Identifier>{inputs}{wanted}"
    return element("2.0.0", "Execute", content, version="2.0.0", mode=mode, response=response)


def execute_1_0(inputs: str, form: str = "", *, process: str = "echo") -> str:
    """Return an Execute of WPS 1.0.0; `form` is the content of its ResponseForm."""
    response = f"<wps:ResponseForm>{form}</wps:ResponseForm>" if form else ""
    content = f"<ows:Identifier>{process}</ows:Identifier><wps:DataInputs>{inputs}</wps:DataInputs>{response}"
    return element("1.0.0", "Execute", content, version="1.0.0")


def document(output: str, *, of_output: str = "", of_document: str = "") -> str:
    """Return a response form of WPS 1.0.0 that requests an output; attributes are inserted unchanged."""
    wanted = f"<wps:Output {of_output}><ows:Identifier>{output}</ows:Identifier></wps:Output>"
    return f"<wps:ResponseDocument {of_document}>{wanted}</wps:ResponseDocument>"


def given(version: str, name: str, data: str) -> str:
    """Return an input that has an element Data."""
    data = f"<wps:Data>{data}</wps:Data>"
    if version == "2.0.0":
        return f'<wps:Input id="{name}">{data}</wps:Input>'
    return f"<wps:Input><ows:Identifier>{name}</ows:Identifier>{data}</wps:Input>"


def literal(version: str, name: str, text: object) -> str:
    """Return an input that is a literal."""
    held = "LiteralValue" if version == "2.0.0" else "LiteralData"
    return given(version, name, f"<wps:{held}>{text}</wps:{held}>")


def texts(root: etree._Element, path: str) -> list[str]:
    """Return the texts of elements."""
    return [each.text or "" for each in root.iterfind(path)]


def exception_of(root: etree._Element) -> tuple[str, str | None]:
    """Return the code and the locator of a report."""
    (found,) = root.iterfind("{*}Exception")
    return found.get("exceptionCode"), found.get("locator")


@pytest.fixture
def options(desk) -> ServerOptions:
    """Options of the server of `client`."""
    return ServerOptions(jobs=desk)


@pytest.fixture
def services():
    """Services of the layer NDVI over the formula, with three places."""
    return served.make_services(places=[make_places()])


@pytest.fixture
def client(services, options):
    """Client of a server that accepts jobs."""
    with TestClient(application(services, options), raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def answer(client) -> Callable:
    """Return a function that sends `"service=WPS&…"` by GET or `"<wps:…"` by POST and returns the answer."""

    def ask(request: str, **headers: str):
        if request.startswith("<"):
            return client.post("/wps", content=request.encode(), headers={"Content-Type": "text/xml", **headers})
        return client.get(f"/wps?{request}", headers=headers)

    return ask


@pytest.fixture
def ask(answer, validate_ogc) -> Callable[..., etree._Element]:
    """Return a function: `ask("service=WPS&…", status=200)` returns the root of the valid document."""

    def parsed(request: str, *, status: int = 200, **headers: str) -> etree._Element:
        found = answer(request, **headers)
        assert (found.status_code, found.headers["content-type"]) == (status, "application/xml"), found.text[:500]
        assert validate_ogc(found.content) == [], found.text
        return etree.fromstring(found.content)

    return parsed
