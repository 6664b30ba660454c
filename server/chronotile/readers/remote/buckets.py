"""Stores of obstore for buckets of S3 and Google Cloud Storage, and containers of Azure Blob Storage."""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chronotile.core.errors import UnsupportedSource
from chronotile.core.web.places import BUCKETS
from chronotile.readers.remote.s3_environment import YES, S3Access, has_vendor, s3_access

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CONNECT_S = 3.0
"""Time limit for opening a connection."""
REQUEST_S = 8.0
"""Time limit of one request, including its whole answer."""
MAX_STORES = 64
_GOOGLE = (
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"),
    *("GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_BEARER_TOKEN"),
)
_AZURE = (
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"),
    *("AZURE_CLIENT_ID", "AZURE_STORAGE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"),
)
"""Variables that name a source of credentials, which obstore reads."""
_GCLOUD = "~/.config/gcloud/application_default_credentials.json"


def open_bucket(scheme: str, name: str, access: S3Access | None = None) -> "ObjectStore":
    """Return the store of obstore for a bucket or container.

    Args:
        scheme: Scheme of its URL, in `places.BUCKETS`.
        name: Name of the bucket or container.
        access: Access to S3, if the caller determined it for many files.

    Raises:
        UnsupportedSource: The storage account of Azure is not set.
    """
    if scheme == "gs":
        return google_store(name)
    return azure_store(name) if scheme == "az" else _s3_store(name, access or s3_access())


@lru_cache(maxsize=MAX_STORES)
def _s3_store(bucket: str, access: S3Access) -> "ObjectStore":
    from obstore.store import S3Store

    return S3Store(bucket, **access.obstore_config(), **_limits())


def needs_obstore(href: str) -> bool:
    """Return whether tensorstore cannot read a store, or sends a wrong header for requester-pays buckets."""
    scheme = href.partition("://")[0]
    return scheme in BUCKETS and (scheme != "s3" or s3_access().is_paying)


def google_store(bucket: str, environment: Mapping[str, str] = os.environ) -> "ObjectStore":
    """Return the store of obstore for a bucket of Google; without credentials, requests are unsigned."""
    home_file = os.path.expanduser(_GCLOUD)  # noqa: PTH111 -- pathlib raises RuntimeError without a home
    has_account = Path(home_file).is_file() or has_vendor("Google")
    return _google_store(bucket, is_unsigned=_is_unsigned(environment, "GS_NO_SIGN_REQUEST", _GOOGLE, has_account))


def azure_store(container: str, environment: Mapping[str, str] = os.environ) -> "ObjectStore":
    """Return the store of obstore for a container of Azure; without credentials, requests are unsigned.

    Raises:
        UnsupportedSource: The storage account is not set.
    """
    account = environment.get("AZURE_STORAGE_ACCOUNT") or environment.get("AZURE_STORAGE_ACCOUNT_NAME")
    if not account:
        raise UnsupportedSource("the account of az:// is not set; set AZURE_STORAGE_ACCOUNT to the storage account")
    return _azure_store(container, account, is_unsigned=_is_unsigned(environment, "AZURE_NO_SIGN_REQUEST", _AZURE))


def _is_unsigned(environment: Mapping[str, str], switch: str, names: tuple[str, ...], other: bool = False) -> bool:
    if environment.get(switch, "").lower() in YES:
        return True
    return not other and not any(environment.get(name) for name in names)


@lru_cache(maxsize=MAX_STORES)
def _google_store(bucket: str, *, is_unsigned: bool) -> "ObjectStore":
    from obstore.store import GCSStore

    return GCSStore(bucket, skip_signature=is_unsigned, **_limits())


@lru_cache(maxsize=MAX_STORES)
def _azure_store(container: str, account: str, *, is_unsigned: bool) -> "ObjectStore":
    from obstore.store import AzureStore

    return AzureStore(container, account_name=account, skip_signature=is_unsigned, **_limits())


def _limits() -> dict[str, Any]:
    return {
        "client_options": {
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "timeout": timedelta(seconds=REQUEST_S),
            "user_agent": "chronotile",
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=REQUEST_S)},
    }
