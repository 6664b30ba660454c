"""Folders of a bucket."""

from itertools import islice

from chronotile.readers.remote.requests import Away, of_bucket, place_of, read_deadline, retry

MAX_FOLDERS = 1000
"""Of one folder that are listed."""
MAX_FILES = 1_000_000
"""Below a folder."""


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


def list_files(href: str) -> list[str] | None:
    """Return the paths of all files below a folder of S3, counted from it, `None` at a server that cannot list them.

    Raises:
        Away: It cannot be listed: there is no permission, no answer, or there are too many.
    """
    place = place_of(f"{href.rstrip('/')}/")
    if place.store is None:
        return None
    store, key, bucket = place.store, place.key, place.bucket

    def list_them() -> list[str]:
        import obstore

        found = list[str]()
        with of_bucket(bucket):
            for some in obstore.list(store, key):
                found += (each["path"].removeprefix(key) for each in some)
                if len(found) > MAX_FILES:
                    raise Away(f"it has more than {MAX_FILES} files")
        return found

    return retry(list_them, None)
