"""Fields in memory, for tests without files."""

import numpy as np

from chronotile.readers.cf.fields import Field, FieldSet


def make_field(name, dims, numbers, **attrs):
    array = np.asarray(numbers)
    return Field(name=name, dims=tuple(dims), shape=array.shape, dtype=array.dtype, attrs=attrs, load=lambda: array)


def make_fields(*fields, **attrs):
    return FieldSet({field.name: field for field in fields}, attrs)


def make_cube(
    name="v", *, x=(2.0, 3.0, 4.0), y=(52.0, 51.0), x_attrs=None, y_attrs=None, others=(), file_attrs=None, **attrs
):
    """Return a field over y and x with its coordinates, by default in EPSG:4326."""
    attrs.setdefault("crs", "EPSG:4326")
    numbers = np.zeros((len(y), len(x)), dtype="int16")
    return make_fields(
        make_field(name, ("y", "x"), numbers, **attrs),
        make_field("y", ("y",), y, **(y_attrs or {})),
        make_field("x", ("x",), x, **(x_attrs or {})),
        *others,
        **(file_attrs or {}),
    )
