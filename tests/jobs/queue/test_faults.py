"""Reasons why a job fails, for any error."""

import errno
import os

import pytest

from chronotile.core.errors import ClientGone, SourceUnavailable, StorageFull
from chronotile.jobs.queue.faults import FORBIDDEN, fault_of, storing_results


def test_job_has_a_message_for_an_error_without_an_http_message():
    fault = fault_of(ClientGone("the job was dismissed"))

    assert (fault.status, fault.title, fault.detail) == (499, "Nobody waits", "the job was dismissed")


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, StorageFull, "no disk space for the results"),
        (errno.EDQUOT, StorageFull, "no disk space for the results"),
        (errno.EACCES, SourceUnavailable, "files of results cannot be written now"),
        (errno.EROFS, SourceUnavailable, "files of results cannot be written now"),
        (errno.ENOENT, FileNotFoundError, "No such file"),
    ],
)
def test_full_disk_is_reported_and_other_errors_are_not_hidden(number, kind, words):
    with pytest.raises(kind, match=words), storing_results(FORBIDDEN):
        raise OSError(number, os.strerror(number), "/secret")


def test_job_without_write_permission_reports_it_without_file_names():
    fault = fault_of(PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/secret"))

    assert (fault.status, fault.detail.partition(":")[0]) == (503, "files of the job cannot be written")
    assert "/secret" not in fault.detail
