"""Where a bucket of S3 is, or of a store that speaks as S3 does."""

import re

from chronotile.core.errors import ConfigurationError
from chronotile.core.extras import require_configured

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/\w[\w.=-]*)*)/?", re.ASCII)


def bucket_and_prefix(url: str, setting: str, *, otherwise: str = "") -> tuple[str, str | None]:
    """Return the bucket of `s3://bucket/prefix`, and the prefix if there is one.

    Args:
        url: As it is configured.
        setting: The option or the variable that has the URL.
        otherwise: What else it may have, with "or".

    Raises:
        ConfigurationError: The URL is not one of that form, or obstore is not installed.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ConfigurationError(
            [
                f"{setting} must be {otherwise}like s3://bucket/prefix, got {url[:100]!r}: a bucket has 3 to 63 "
                "lowercase letters, digits, dots and hyphens, a prefix letters, digits and _ . = - between slashes"
            ]
        )
    require_configured("s3", f"an s3:// URL in {setting}")
    return found["bucket"], found["prefix"].lstrip("/") or None
