"""Folders of databases that cannot be used are refused in words."""

import os

import pytest

from chronotile.core.database import require_restored
from chronotile.core.errors import ConfigurationError

NOBODY = 65534


@pytest.fixture
def folder_of_another_user(tmp_path):
    """Return a folder that the user of this process may not enter; root acts as another user in the test."""
    folder, user = tmp_path / "jobs", os.geteuid()
    folder.mkdir(mode=0)
    if user == 0:
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(user)
    folder.chmod(0o700)


def test_folder_of_another_user_is_refused_with_remedy(folder_of_another_user):
    with pytest.raises(ConfigurationError, match=r"belongs to another user.*chown"):
        require_restored(folder_of_another_user)
