"""Buckets on S3, or on a store with the same protocol."""

import re

from chronotile.core.errors import ConfigurationError
from chronotile.core.extras import require_configured

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/\w[\w.=-]*)*)/?", re.ASCII)


def bucket_and_prefix(url: str, setting: str, *, otherwise: str = "") -> tuple[str, str | None]:
    """Return bucket and prefix of `s3://bucket/prefix`; the prefix may be `None`.

    Args:
        url: The configured URL.
        setting: Option or variable of the URL, for messages.
        otherwise: Other accepted values, followed by "or".

    Raises:
        ConfigurationError: The URL has another form, or obstore is not installed.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ConfigurationError(
            [
                f"{setting} must be {otherwise}like s3://bucket/prefix, got {url[:100]!r}: a bucket has 3 to 63 "
                "lowercase letters, digits, dots and hyphens, a prefix letters, digits and _ . = - between slashes"
            ]
        )
    require_configured("s3", f"an s3:// URL in {setting}")
    return match["bucket"], match["prefix"].lstrip("/") or None
