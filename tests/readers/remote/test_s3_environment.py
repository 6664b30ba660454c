"""Address and credentials of S3 in the environment."""

import pytest

from chronotile.readers.remote.s3_environment import s3_access

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def files(tmp_path):
    """Return the variables that name shared files of two profiles."""
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text(
        "[default]\naws_access_key_id = own\naws_secret_access_key = of%own\n"
        "[guest]\naws_access_key_id = other\naws_secret_access_key = of other\naws_session_token = token\n"
    )
    config.write_text("[default]\nregion = eu-west-1\n[profile guest]\nregion = eu-west-3\n")
    return {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_CONFIG_FILE": str(config)}


@pytest.fixture
def none(tmp_path):
    """Return the variables that name shared files that are not there."""
    return {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "a"), "AWS_CONFIG_FILE": str(tmp_path / "b")}


def test_variables_override_keys_of_files(files):
    access = s3_access(files | KEYS)

    assert (access.key_id, access.secret, access.token, access.is_anonymous) == ("key", "secret", None, False)


@pytest.mark.parametrize(
    ("profile", "found"),
    [
        ({}, ("own", "of%own", None, "eu-west-1")),
        ({"AWS_PROFILE": "guest"}, ("other", "of other", "token", "eu-west-3")),
    ],
)
def test_shared_files_give_the_keys_of_a_profile(profile, found, files):
    access = s3_access(files | profile)

    assert (access.key_id, access.secret, access.token, access.region) == found


def test_without_keys_requests_are_anonymous(none):
    access = s3_access(none)

    assert access.is_anonymous
    assert access.tensorstore_spec(none) == {"aws_region": "us-east-1", "aws_credentials": {"type": "anonymous"}}


def test_keys_are_not_used_for_unsigned_requests():
    assert s3_access(KEYS | {"AWS_NO_SIGN_REQUEST": "YES"}).obstore_config() == {
        "region": "us-east-1",
        "skip_signature": True,
    }


def test_role_is_left_to_the_libraries(none):
    environment = none | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}

    assert not s3_access(environment).is_anonymous
    assert "aws_credentials" not in s3_access(environment).tensorstore_spec(environment)


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({"AWS_ENDPOINT_URL": "http://a:9000"}, "http://a:9000"),
        ({"AWS_ENDPOINT_URL": "http://a:9000", "AWS_ENDPOINT_URL_S3": "http://b"}, "http://b"),
        ({}, None),
    ],
)
def test_endpoint_of_s3_overrides_that_of_all_services(variables, endpoint):
    access = s3_access(KEYS | variables)

    assert access.endpoint == endpoint
    assert access.tensorstore_spec(KEYS).get("endpoint") == endpoint
