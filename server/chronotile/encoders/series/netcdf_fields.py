"""Series of several variables at points as NetCDF."""

from collections.abc import Generator

from chronotile.encoders.credits import Credits
from chronotile.encoders.series.netcdf import encode_series_netcdf
from chronotile.encoders.series.table import PlaceSeries, PlacesSeries
from chronotile.model.request import Point
from chronotile.model.series.fields import FieldsSeries


def encode_fields_netcdf(series: FieldsSeries, *, title: str, credits: Credits) -> Generator[bytes]:
    """Yield the file that `encode_series_netcdf` writes of one variable, with a variable for each, in one piece.

    Times are those that any variable has; NaN where one has no such time.

    Args:
        series: Of points.
        title: Whose series they are.
        credits: Whom the file names.
    """
    columns = series.columns
    table = PlacesSeries(
        layer=title,
        units="",
        times=series.times,
        places=[
            PlaceSeries(id=None, point=place.degrees, columns={name: column[row] for name, column in columns.items()})
            for row, place in enumerate(series.places)
            if isinstance(place, Point)
        ],
        column_units={field.name: field.layer.main_variable.encoding.units for field in series.fields},
        credits=credits,
    )
    yield encode_series_netcdf(table)
