"""Products without stated size have the size of their file if it is single and local."""


def length_of(archive, url):
    """Return the length of a product, after checking that the list has the same."""
    id_ = url.rpartition("/")[2]
    one = archive.client.get(f"/odata/v1/Products({id_})").json()
    (listed,) = archive.client.get("/odata/v1/Products").json()["value"]
    assert listed["ContentLength"] == one["ContentLength"]
    return one["ContentLength"]


def test_the_only_file_of_a_product_is_measured(archive):
    url = archive.put_file(b"x" * 1234)

    assert length_of(archive, url) == len(archive.client.get(url).content) == 1234


def test_a_file_that_is_not_there_or_not_delivered_has_no_size(archive, tmp_path):
    outside = tmp_path / "outside.tif"
    outside.write_bytes(b"secret")

    assert length_of(archive, archive.put("a", {"data": str(archive.folder / "gone.tif")})) == 0
    assert length_of(archive, archive.put("a", {"data": str(outside)})) == 0


def test_several_files_have_the_size_that_their_item_states(archive):
    paths = [str(archive.write(name, b"12345")) for name in ("a.tif", "b.tif")]

    assert length_of(archive, archive.put("a", dict(zip("ab", paths, strict=True)))) == 0
