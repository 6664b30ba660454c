import numpy as np

from benchmarks.data.field import NODATA, Field


def test_rows_equal_those_of_the_whole():
    field = Field(400, seed=1)

    assert (field.numbers(40, slice(100, 150)) == field.numbers(40)[100:150]).all()


def test_field_is_the_same_each_time_and_another_each_day():
    assert (Field(200, seed=1).numbers(9) == Field(200, seed=1).numbers(9)).all()
    assert (Field(200, seed=1).numbers(9) != Field(200, seed=1).numbers(10)).any()


def test_about_a_quarter_is_clouds():
    shares = [float(np.mean(Field(800, seed=1).numbers(day) == NODATA)) for day in range(8)]

    assert 0.1 < np.mean(shares) < 0.4
