from decimal import Decimal

import rasterio

from benchmarks.soak.archive import NODATA, Archive, date_of, day


def test_values_equal_those_of_the_file(tmp_path):
    archive = Archive(tmp_path)
    archive.make(dates=1)

    with rasterio.open(archive.write_date(3)) as file:
        column = file.read(1)[:, 70].tolist()

    expected = [None if number == NODATA else float(number * Decimal("0.004") - Decimal("0.08")) for number in column]
    assert [archive.values_at(row, 70, [3])[0] for row in range(len(column))] == expected


def test_day_and_date_are_each_the_other_way_round():
    assert [date_of(f"{day(date)}T00:00:00Z") for date in (0, 59, 400)] == [0, 59, 400]
