"""A layer on a map in a notebook, with a slider over its dates; needs the extra `jupyter`."""

import asyncio
from pathlib import Path
from typing import Any, Final, Protocol

from chronotile_client.credential import Credential
from chronotile_client.times import time_text

try:
    import anywidget
    import traitlets
except ModuleNotFoundError as error:
    message = f"Map needs {error.name}, which is not installed: install chronotile-client with its extra jupyter"
    raise ModuleNotFoundError(message, name=error.name) from error

BUNDLE: Final = Path(__file__).with_name("widget")
"""JavaScript and style sheet, made by `node clients/python/build.mjs` and packed into the wheel."""

WORLD: Final = (180.0, 90.0)
"""The greatest longitude and latitude."""


_SETTABLE: Final = ("bounds", "height", "layer_style", "point")


class HasUrl(Protocol):
    """An archive."""

    url: str
    credential: Credential | None


class HasId(Protocol):
    """A layer."""

    @property
    def id(self) -> str:
        """Its id."""


class _Date(traitlets.Unicode[str, Any]):
    """A date as text, from the types that series accept."""

    def validate(self, obj: Any, value: Any) -> str:  # noqa: ANN401 -- as traitlets has it
        """Return the text; for a wrong type raise the error of the trait."""
        try:
            text = time_text(value)
        except ValueError:
            self.error(obj, value)
        return super().validate(obj, text or "")


class Map(anywidget.AnyWidget):
    """A layer of a server on a map, with a slider that changes the date without requests.

    The browser requests cube tiles from the server, so it must be able to reach the server's address. All traits
    except `dates`, `value` and `error` can also be set from Python; the map follows.

    The token of an archive is sent to the browser in messages, so the notebook does not contain it. An address with a
    key (`/k/KEY`) is saved with the notebook.

    Args:
        archive: An archive or the address of a server.
        layer: A layer or its id.
        date: The initial date: the map shows the first date in it, else the period that contains it, else the nearest
            date. By default the layer's default.
        center: Longitude and latitude; by default the map shows the whole layer.
        zoom: Web Mercator's, 0 for the whole world in 256 pixels.
        traits: Other traits, such as `height` in pixels, or `layer_style`, a name of the layer's styles.

    Raises:
        TypeError: A trait does not exist.
        RuntimeError: The package was installed without the map's JavaScript.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    server = traitlets.Unicode(help="Address of the server.").tag(sync=True)
    layer = traitlets.Unicode(help="Id of the layer.").tag(sync=True)
    has_token = traitlets.Bool(False, help="Whether Python gives tokens.").tag(sync=True)
    layer_style = traitlets.Unicode(help="Name of a style; empty for the layer's first.").tag(sync=True)
    height = traitlets.Int(480, min=64, help="Height of the map in pixels.").tag(sync=True)
    date = _Date(help="The date that is shown, RFC 3339.").tag(sync=True)
    dates = traitlets.List(traitlets.Unicode(), help="All dates of the layer.").tag(sync=True)
    center = traitlets.List(traitlets.Float(), None, allow_none=True, help="Longitude, latitude.").tag(sync=True)
    zoom = traitlets.Float(None, allow_none=True, help="Zoom of Web Mercator.").tag(sync=True)
    bounds = traitlets.List(traitlets.Float(), None, allow_none=True, help="West, south, east, north.").tag(sync=True)
    point = traitlets.List(traitlets.Float(), None, allow_none=True, help="Clicked point: longitude, latitude.").tag(
        sync=True
    )
    value = traitlets.Float(None, allow_none=True, help="Value of the clicked cell at the date, or None.").tag(
        sync=True
    )
    error = traitlets.Unicode(help="Reason why the layer is not shown; empty if it is.").tag(sync=True)

    def __init__(
        self,
        archive: str | HasUrl,
        layer: str | HasId,
        date: Any = None,  # noqa: ANN401 -- the forms of time_text
        *,
        center: tuple[float, float] | None = None,
        zoom: float | None = None,
        **traits: Any,  # noqa: ANN401 -- each trait checks its own
    ) -> None:
        if unknown := [name for name in traits if not self.has_trait(name)]:
            message = f"Map has no trait {unknown[0]!r}; its own are {', '.join(sorted(_SETTABLE))}"
            raise TypeError(message)
        self._credential = None if isinstance(archive, str) else archive.credential
        self._answers = set[asyncio.Task[None]]()
        super().__init__(
            _esm=_bundled("map.js"),
            _css=_bundled("map.css"),
            server=archive if isinstance(archive, str) else archive.url,
            has_token=self._credential is not None,
            layer=layer if isinstance(layer, str) else layer.id,
            date=date,
            center=center,
            zoom=zoom,
            **traits,
        )
        self.on_msg(self._receive)

    def _receive(self, _map: object, content: dict[str, str], _buffers: object) -> None:
        """Answer the browser's request for a token; it names the token that the server refused."""
        if self._credential is not None and "refused" in content:
            task = asyncio.get_running_loop().create_task(self._send_token(self._credential, content["refused"]))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _send_token(self, credential: Credential, refused: str) -> None:
        token = ""
        try:
            token = await credential.token_async(refused)
        finally:  # the browser waits for an answer, even without a token
            self.send({"token": token})

    @traitlets.validate("center", "point")
    def _check_place(self, proposal: traitlets.Bunch) -> list[float] | None:
        place: list[float] | None = proposal["value"]
        if place is None:
            return None
        if len(place) != len(WORLD) or any(abs(at) > most for at, most in zip(place, WORLD, strict=True)):
            message = f"{proposal['trait'].name} is {place}; longitude and latitude in degrees are accepted"
            raise traitlets.TraitError(message)
        return place

    @traitlets.validate("bounds")
    def _check_bounds(self, proposal: traitlets.Bunch) -> list[float] | None:
        bounds: list[float] | None = proposal["value"]
        if bounds is not None and (len(bounds) != 4 or bounds[1] >= bounds[3]):
            message = f"bounds is {bounds}; west, south, east and north in degrees are accepted"
            raise traitlets.TraitError(message)
        return bounds


def _bundled(name: str) -> str:
    """Return the text of a file of the bundle."""
    try:
        return (BUNDLE / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"{name} of the map was not built: run `make client-widget`, or install the wheel"
        raise RuntimeError(message) from error
