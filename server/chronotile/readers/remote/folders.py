"""Folders of a bucket."""

from itertools import islice

from chronotile.readers.remote.requests import of_bucket, place_of, read_deadline, retry

MAX_FOLDERS = 1000
"""Of one folder that are listed."""


def list_folders(href: str) -> list[str] | None:
    """Return the names of the folders in a folder of S3, `None` of one at a server that cannot list them.

    Raises:
        Away: It cannot be listed: there is no permission, or no answer.
    """
    place = place_of(f"{href.rstrip('/')}/")
    if place.store is None:
        return None
    store, key, bucket = place.store, place.key, place.bucket

    def list_them() -> list[str]:
        import obstore

        with of_bucket(bucket):
            found = obstore.list_with_delimiter(store, key)
        return [each.rstrip("/").rpartition("/")[2] for each in islice(sorted(found["common_prefixes"]), MAX_FOLDERS)]

    return retry(list_them, read_deadline())
