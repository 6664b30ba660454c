"""Virtual chunks of Icechunk repositories: the containers that may be read, and the access to them.

Other people may write the settings of a repository, so its endpoints are never used: allowed containers are read with
the access that the operator has configured. HTTP is refused, because icechunk follows redirects and does not check the
addresses of host names.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chronotile.core.errors import AddressRefused, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.web.item_places import SOURCE_SETTING
from chronotile.readers.hrefs import base_name, shown_href
from chronotile.readers.remote.buckets import open_bucket
from chronotile.readers.remote.s3_environment import s3_access

LOCAL = "file://"
PlaceOf = Callable[[str], str]
"""Returns the location of an address; raises `AddressRefused` if the address is not allowed."""


class VirtualAccess:
    """Access to the allowed containers of a repository; findings name the other containers.

    Args:
        prefixes: URLs of the containers.
        place_of: Checks addresses by the rule for references.
    """

    def __init__(self, prefixes: Iterable[str], place_of: PlaceOf) -> None:
        self.containers = dict[str, Any]()
        """Containers of icechunk by prefix."""
        self.credentials = dict[str, Any]()
        """Credentials of icechunk by prefix."""
        self.findings = tuple[Finding, ...]()
        self._place_of = place_of
        for prefix in sorted(prefixes):
            try:
                self._allow(prefix)
            except UnsupportedSource as error:
                message = f"{LEFT_OUT}the virtual chunks in {shown_href(prefix)}: {error.message}{_remedy(error)}"
                self.findings += (Finding("warning", "virtual chunks", message),)

    def _allow(self, prefix: str) -> None:
        import icechunk

        if "://" not in prefix:  # repositories of older icechunk have names here
            raise UnsupportedSource("its address is unknown; write the repository again with the current icechunk")
        store, credentials = _access(prefix)
        self._place_of(f"{prefix}_")  # a file in the container, as a container may be the whole folder
        try:
            self.containers[prefix] = icechunk.VirtualChunkContainer(prefix, store)
        except ValueError:
            raise UnsupportedSource("it has to end with a slash") from None
        self.credentials[prefix] = credentials

    @property
    def local(self) -> tuple[str, ...]:
        """Allowed containers on this machine."""
        return tuple(prefix for prefix in self.containers if prefix.startswith(LOCAL))

    def require_inside(self, locations: Iterable[str]) -> None:
        """Check the files of local containers, because icechunk follows symbolic links.

        Raises:
            AddressRefused: A file is outside of the allowed folders.
        """
        for location in {location for location in locations if location.startswith(self.local)}:
            try:
                self._place_of(location)
            except AddressRefused as error:
                reason = f"its virtual chunks are in {base_name(location)}: {error.message}{_remedy(error)}"
                raise AddressRefused(reason, prefix=error.prefix) from error


def _remedy(error: UnsupportedSource) -> str:
    if not isinstance(error, AddressRefused) or not error.prefix:
        return ""
    return f"; accepted are the folder or bucket of the repository, and prefixes in {SOURCE_SETTING}"


def _access(prefix: str) -> tuple[Any, Any]:
    """Return the store and the credentials of icechunk for a container.

    Raises:
        UnsupportedSource: Its scheme is not accepted, or its account is not configured.
    """
    import icechunk

    scheme, _, rest = prefix.partition("://")
    if f"{scheme}://" == LOCAL:
        return icechunk.local_filesystem_store("/"), None
    if scheme == "s3":
        return icechunk.s3_store(**s3_options()), icechunk.s3_credentials(**s3_keys())
    if scheme not in {"gs", "az"}:
        raise UnsupportedSource("accepted are file://, s3://, gs:// and az://")
    bucket: Any = open_bucket(scheme, rest.partition("/")[0])
    options = {**bucket.config, **bucket.client_options}
    if scheme == "gs":
        return icechunk.gcs_store(options), icechunk.gcs_credentials(from_env=True)
    azure = icechunk.ObjectStoreConfig.Azure({**options, "account": options["account_name"]})
    return azure, icechunk.azure_credentials(from_env=True)


def s3_options() -> dict[str, Any]:
    """Return the options of icechunk for S3, without credentials."""
    access = s3_access()
    return {
        "region": access.region,
        "endpoint_url": access.endpoint,
        "allow_http": (access.endpoint or "").startswith("http://"),
        "force_path_style": access.endpoint is not None,
        "requester_pays": access.is_paying,
    }


def s3_keys() -> Mapping[str, Any]:
    """Return the arguments of icechunk for the credentials of S3."""
    access = s3_access()
    if access.is_anonymous:
        return {"anonymous": True}
    if access.key_id is None:
        return {"from_env": True}
    return {"access_key_id": access.key_id, "secret_access_key": access.secret, "session_token": access.token}
