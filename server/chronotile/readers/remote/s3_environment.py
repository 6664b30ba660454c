"""The endpoint, region and credentials for S3, from the usual variables and files of AWS."""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_REGION = "us-east-1"

YES = {"1", "on", "true", "yes"}
_ROLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
"""Variables that name a source of temporary credentials."""

_VENDOR = Path("/sys/devices/virtual/dmi/id/sys_vendor")
"""Identifies machines of Amazon and Google, which may have a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Endpoint, region and credentials for S3."""

    region: str
    endpoint: str | None = None
    """URL of the endpoint; `None`: Amazon S3."""
    key_id: str | None = None
    secret: str | None = None
    token: str | None = None
    is_anonymous: bool = False
    """Whether requests are unsigned; for signed requests without a key the library tries a role."""
    is_paying: bool = False
    """Whether requests have the header for requester-pays buckets, which tensorstore does not support."""

    def obstore_config(self) -> dict[str, Any]:
        """Return the configuration of a store of obstore."""
        config: dict[str, Any] = {"region": self.region, "skip_signature": self.is_anonymous}
        keys = {
            "endpoint": self.endpoint,
            "access_key_id": self.key_id,
            "secret_access_key": self.secret,
            "session_token": self.token,
        }
        if self.is_paying:
            config["request_payer"] = True
        return config | {name: value for name, value in keys.items() if value is not None}

    def tensorstore_spec(self, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
        """Return the members of a key-value store of tensorstore."""
        spec: dict[str, Any] = {"aws_region": self.region}
        if self.endpoint is not None:
            spec["endpoint"] = self.endpoint
        if self.is_anonymous:
            spec["aws_credentials"] = {"type": "anonymous"}
        elif environment.get("AWS_ACCESS_KEY_ID"):
            spec["aws_credentials"] = {"type": "environment"}
        elif self.key_id is not None:
            own = _file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
            settings = _file(environment, "AWS_CONFIG_FILE", "config")
            spec["aws_credentials"] = {
                "type": "profile",
                "profile": _profile(environment),
                "credentials_file": str(own),
                # It must exist, with any content.
                "config_file": str(settings if settings.is_file() else own),
            }
        return spec


def s3_access(environment: Mapping[str, str] = os.environ) -> S3Access:
    """Return the access to S3 that the environment configures.

    Credentials come from `AWS_ACCESS_KEY_ID`, otherwise from the profile `AWS_PROFILE` in the shared files, otherwise
    from a role; without credentials, or with `AWS_NO_SIGN_REQUEST`, requests are anonymous. With
    `AWS_REQUEST_PAYER=requester` requests have the header for requester-pays buckets, as in GDAL.
    """
    own = _section(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials", _profile(environment))
    settings = _section(environment, "AWS_CONFIG_FILE", "config", _profile(environment))
    is_by_variables = bool(environment.get("AWS_ACCESS_KEY_ID"))
    keys = {
        "key_id": environment.get("AWS_ACCESS_KEY_ID") if is_by_variables else own.get("aws_access_key_id"),
        "secret": environment.get("AWS_SECRET_ACCESS_KEY") if is_by_variables else own.get("aws_secret_access_key"),
        "token": environment.get("AWS_SESSION_TOKEN") if is_by_variables else own.get("aws_session_token"),
    }
    is_unsigned = environment.get("AWS_NO_SIGN_REQUEST", "").lower() in YES
    is_anonymous = is_unsigned or (keys["key_id"] is None and not _has_role(environment))
    return S3Access(
        region=environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or settings.get("region")
        or DEFAULT_REGION,
        endpoint=environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or None,
        is_anonymous=is_anonymous,
        is_paying=environment.get("AWS_REQUEST_PAYER", "").lower() in {"requester", *YES},
        **({} if is_anonymous else keys),
    )


def has_vendor(name: str) -> bool:
    """Return whether the firmware of this machine is of a vendor."""
    try:
        return _VENDOR.read_text().strip() == name
    except OSError:
        return False


def _profile(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"


def _has_role(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in _ROLES) or has_vendor("Amazon EC2")


def _file(environment: Mapping[str, str], variable: str, name: str) -> Path:
    # The path of a shared file, which may be missing.
    return Path(environment.get(variable) or Path.home() / ".aws" / name)


def _section(environment: Mapping[str, str], variable: str, name: str, profile: str) -> Mapping[str, str]:
    """Return the section of a profile in a shared file; empty if it is missing or cannot be read."""
    file = _file(environment, variable, name)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(file)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    titles = [profile, f"profile {profile}"]
    return next((dict(parser[title]) for title in titles if parser.has_section(title)), {})
