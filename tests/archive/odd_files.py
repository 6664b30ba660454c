"""Random files with odd metadata, each from a seed: rasters, NetCDF, Zarr, and other content under these names."""

import json
import warnings
from pathlib import Path

import numpy as np
import rasterio
import xarray
import zarr
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from tests.rasters import write_raster

MAX = float(np.finfo("float64").max)
ODD_NUMBERS = (0.0, 1.0, -1.0, 0.1, -9999.0, 255.0, 1e-320, 1e20, -3.4028234663852886e38, 2.0**53, 2.0**63, 1e308, -MAX)
NOT_FINITE = (np.nan, np.inf, -np.inf)
RASTER_TYPES = (
    *("uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"),
    *("complex64", "complex_int16", "float32", "uint8"),
)
ARRAY_TYPES = (
    *("int8", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64", "bool", "complex64"),
)
NAMES = (
    "NDVI",
    "a<b",
    "50%",
    "it's",
    'say "x"',
    "🌍",
    "",
    " ",
    "../up",
    "NaN",
    "x" * 300,
    "a\nb",
    "ünï",
    "{variable}",
    "&amp;",
    "B04",
)
FILE_NAMES = (
    "a b",
    "50%",
    "it's",
    "🌍",
    "a<b",
    "x&y",
    "[1]",
    "{t}",
    "ünï",
    "-x",
    "a;b",
    "x" * 120,
    "2020",
    "LST_999999",
    "#1",
)
WKT = (
    'PROJCS["odd",GEOGCS["s",DATUM["u",SPHEROID["S",6371229,0]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Polar_Stereographic"],PARAMETER["latitude_of_origin",60],PARAMETER["central_meridian",249],'
    'PARAMETER["scale_factor",90],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]',
    'LOCAL_CS["site",UNIT["metre",1]]',
    'GEOGCS["moon",DATUM["m",SPHEROID["m",1737400,0]],PRIMEM["r",0],UNIT["degree",0.0174532925199433]]',
    'GEOGCS["point",DATUM["m",SPHEROID["m",0.001,0]],PRIMEM["r",0],UNIT["degree",0.0174532925199433]]',
    'PROJCS["<b>odd & \\"x\\"",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",9],PARAMETER["scale_factor",0],'
    'PARAMETER["false_easting",1e300],PARAMETER["false_northing",0],UNIT["metre",1]]',
)
PROJ = (
    *("+proj=airy", "+proj=apian", "+proj=healpix", "+proj=isea", "+proj=igh", "+proj=gnom +lat_0=90", "+proj=ortho"),
    *("+proj=geos +h=35785831", "+proj=nsper +h=1000", "+proj=ob_tran +o_proj=longlat +o_lat_p=30 +lon_0=10"),
    *("+proj=merc +lat_ts=89.9", "+proj=lcc +lat_1=1 +lat_2=-0.5", "+proj=aea +lat_1=60 +lat_2=60", "+proj=cea"),
    *(
        "+proj=utm +zone=33 +units=us-ft",
        "+proj=longlat +pm=paris",
        "+proj=longlat +a=6371000 +b=6371000",
        "+proj=tpeqd",
    ),
    *("+proj=laea +lat_0=-90 +x_0=1e12", "+proj=chamb +lat_1=10 +lon_1=20 +lat_2=30 +lon_2=40 +lat_3=-10 +lon_3=60"),
)
CODES = (4326, 4326, 32633, 32633, 3857, 3031, 3413, 3035, 5514, 27700, 2180, 4978, 9518, 4979, 5041, 2193, 7789, 3832)


class Made:
    """Makes files of one seed in a folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.share = 0.9

    def write(self) -> None:
        """Write one to three files or stores."""
        for number in range(self.random.integers(1, 4)):
            makers = (
                *(self.raster, self.raster, self.raster, self.dates, self.netcdf, self.netcdf, self.zarr, self.broken),
            )
            self.share = self.pick((0.6, 0.9, 0.97, 0.97))
            self.pick(makers)(number)

    def pick(self, given):
        """Return a random one of some values."""
        return given[self.random.integers(len(given))]

    def often(self, usual, odd, *, share=0.6):
        """Return the usual value or an odd one; most files have few odd ones."""
        return usual if self.random.random() < max(share, self.share) else self.pick(odd)

    def number(self):
        """Any number."""
        return self.pick((*ODD_NUMBERS, *NOT_FINITE))

    def name(self, number):
        """Return the name of a file without its extension."""
        return f"odd{number}{self.often('', FILE_NAMES)}"

    def array(self, shape, dtype):
        """Return numbers of a type: plain ones, one odd number, or a mixture."""
        plain = self.random.integers(0, 100, shape).astype(dtype)
        how = self.random.integers(4)
        if how == 0 or plain.size == 0:
            return plain
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            odd = np.full(shape, self.number(), "float64").astype(dtype)
        if plain.dtype.kind in "iu" and how == 2:
            limits = np.iinfo(plain.dtype)
            odd = np.full(shape, self.pick((limits.min, limits.max, limits.max - 1)), dtype)
        return odd if how == 1 else np.where(self.random.random(shape) < 0.5, odd, plain).astype(dtype)

    def crs(self):
        """Return a CRS or `None`; also `None` if GDAL rejects it."""
        text = self.often(f"EPSG:{self.pick(CODES)}", (*WKT, *PROJ, None), share=0.5)
        try:
            return None if text is None else CRS.from_user_input(text)
        except CRSError:
            return None

    def transform(self, crs):
        """Return a transform of any orientation and size, mostly somewhere on the Earth."""
        size = 0.01 if crs is None or crs.is_geographic else 10.0
        left, top = (10.0, 50.0) if size == 0.01 else (500_000.0, 5_000_000.0)
        usual = Affine(size, 0, left, 0, -size, top)
        odd = (
            *(Affine(size, 0, left, 0, size, top), Affine(-size, 0, left, 0, -size, top)),
            *(usual @ Affine.rotation(30), usual @ Affine.shear(80, 0), Affine(0, size, left, size, 0, top)),
            *(Affine(0, 0, left, 0, 0, top), Affine(size, 0, left, 0, 0, top), Affine.identity()),
            *(Affine(1e300, 0, -1e300, 0, -1e300, 1e300), Affine(1e-300, 0, left, 0, -1e-300, top)),
            *(
                Affine(size, 0, 1e20, 0, -size, 1e20),
                Affine(size, 0, 200.0, 0, -size, 200.0),
                Affine(90, 0, -180, 0, -90, 90),
            ),
            *(
                Affine(np.nan, 0, left, 0, -size, top),
                Affine(size, 0, np.inf, 0, -size, top),
                Affine(size, 0, 179.9, 0, -size, 90.5),
            ),
        )
        return self.often(usual, odd)

    def raster(self, number, name=None, *, like=None):
        """A GeoTIFF."""
        dtype = self.pick(RASTER_TYPES)
        height, width = self.often((20, 30), ((1, 1), (1, 40), (40, 1), (300, 200)))
        crs = self.crs()
        crs, transform = like or (crs, self.transform(crs))
        count = 1 if like else int(self.often(1, (2, 3, 4, 7)))
        numbers = self.array((count, height, width), "complex64" if dtype.startswith("complex") else dtype)
        path = self.folder / f"{name or self.name(number)}.tif"
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": dtype, "crs": crs}
        profile |= self.often({}, ({"compress": "deflate"}, {"tiled": True, "blockxsize": 16, "blockysize": 16}))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(path, "w", **profile, transform=transform) as file:
                file.write(numbers)
                self._tag(file, count, dtype)

    def _tag(self, file, count, dtype):
        """Return metadata, without those that the library refuses."""
        given = {
            "nodata": self.often(None, (*ODD_NUMBERS, *NOT_FINITE), share=0.4),
            "scales": [self.often(1.0, (*ODD_NUMBERS, *NOT_FINITE, 1e-4)) for _band in range(count)],
            "offsets": [self.often(0.0, (*ODD_NUMBERS, *NOT_FINITE)) for _band in range(count)],
            "units": [
                self.often("", ("K", "<b>", "%", "🌡", "m" * 99, "days since 1970-01-01")) for _band in range(count)
            ],
            "descriptions": [self.often("", NAMES, share=0.4) for _band in range(count)],
        }
        for key, value in given.items():
            try:
                if value is not None:
                    setattr(file, key, value)
            except (ValueError, OverflowError, TypeError, rasterio.errors.RasterioError):
                continue
        tags = self.often(
            {},
            (
                {"date": "9999-99-99"},
                {"TIFFTAG_DATETIME": "x"},
                {"time": "2020-01-01T25:00"},
                {"datetime": "0001-01-01"},
            ),
        )
        file.update_tags(**tags)
        if dtype == "uint8" and self.random.random() < 0.3:
            colours = {value: tuple(self.random.integers(0, 256, 4)) for value in range(self.pick((1, 8, 256)))}
            file.write_colormap(1, colours)
        if self.random.random() < 0.1:
            file.write_mask(self.random.random((file.height, file.width)) < 0.5)
        may_have_overviews = min(file.shape) > 1 and not dtype.startswith("complex")
        if self.random.random() < 0.2 and may_have_overviews and given["nodata"] is None:
            # GDAL never finishes overviews of float32 with a nodata value outside its range.
            file.build_overviews([2, 4])

    def dates(self, number):
        """Write some dates of one place, each with separate metadata."""
        crs = self.crs()
        like = (crs, self.transform(crs)) if self.random.random() < 0.8 else None
        for day in self.random.integers(1, 29, self.random.integers(2, 5)):
            self.raster(number, f"stack{number}_202001{day:02}", like=like)

    def netcdf(self, number):
        """A NetCDF file, of either version."""
        dataset = self.dataset()
        path = self.folder / f"{self.name(number)}.nc"
        is_classic = self.random.random() < 0.3
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset.to_netcdf(
                    path, **({"engine": "scipy"} if is_classic else {"engine": "h5netcdf", "invalid_netcdf": True})
                )
        except (ValueError, TypeError, KeyError, NotImplementedError, OverflowError, OSError):
            path.unlink(missing_ok=True)  # which the library does not write

    def zarr(self, number):
        """A Zarr store, of either version, some of whose documents or chunks are damaged."""
        path = self.folder / f"{self.name(number)}.zarr"
        version = self.pick((2, 3))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.dataset().to_zarr(path, zarr_format=version, consolidated=bool(self.random.random() < 0.5))
                group = zarr.open_group(path, mode="r+")
                group.attrs["note"] = self.often("", NAMES)
        except (ValueError, TypeError, KeyError, NotImplementedError, OverflowError, OSError):
            return
        files = sorted(each for each in path.rglob("*") if each.is_file())
        if self.random.random() < 0.3:
            damaged = self.pick(files)
            damaged.write_bytes(self.pick((b"", b"{", b"[1, 2", b"\x00" * 20, json.dumps({"zarr_format": 9}).encode())))
        if self.random.random() < 0.2:
            self.pick(files).unlink()

    def dataset(self):
        """Arrays over time, latitude and longitude, or x and y, whose attributes are odd."""
        count, height, width = self.often((3, 6, 8), ((1, 1, 1), (2, 1, 8), (0, 4, 4), (4, 40, 50)))
        is_projected = self.random.random() < 0.3
        y_name, x_name = (
            ("y", "x") if is_projected else self.often(("lat", "lon"), (("latitude", "longitude"), ("row", "column")))
        )
        y = np.linspace(5e6, 4.99e6, height) if is_projected else np.linspace(50, 49, height)
        x = np.linspace(5e5, 5.1e5, width) if is_projected else np.linspace(10, 11, width)
        dims = self.often(("time", y_name, x_name), ((y_name, x_name, "time"), ("time", x_name, y_name)))
        sizes = {"time": count, y_name: height, x_name: width}
        variables = {
            name: (dims, self.array(tuple(sizes[dim] for dim in dims), self.pick(ARRAY_TYPES)), self.attributes())
            for name in {
                self.often("NDVI", [each.replace("/", "_") for each in NAMES if each.strip()])
                for _each in range(self.pick((1, 2)))
            }
        }
        mapping = self.often(
            {},
            (
                {"crs_wkt": self.pick(WKT)},
                {"grid_mapping_name": "nothing"},
                {"grid_mapping_name": "polar_stereographic"},
                {"spatial_ref": "🌍"},
            ),
        )
        return xarray.Dataset(
            {**variables, "crs": ((), np.int32(0), mapping)},
            {
                "time": ("time", *self.times(count)),
                y_name: (
                    y_name,
                    self.coordinates(y),
                    self.often(
                        {"units": "m" if is_projected else "degrees_north"},
                        ({}, {"units": "🌍"}, {"scale_factor": 0.5, "add_offset": np.nan}),
                    ),
                ),
                x_name: (
                    x_name,
                    self.coordinates(x),
                    self.often(
                        {"units": "m" if is_projected else "degrees_east"}, ({}, {"units": "rad"}, {"bounds": "none"})
                    ),
                ),
            },
        )

    def times(self, count):
        """Return numbers with units, some unordered or without meaning."""
        usual = np.arange(count, dtype="float64")
        odd = (
            *(usual * 0, usual[::-1], usual + np.nan, usual * 1e300, -usual * 1e6, usual * 1e-9),
            np.full(count, -(2.0**63)),
        )
        units = self.often(
            "days since 2020-01-01",
            (
                "days since 0000-00-00",
                "furlongs since 2020-01-01",
                "days",
                "",
                "seconds since 1970-01-01",
                "months since 2000-01-01",
                "hours since 🌍",
            ),
        )
        calendar = self.often(
            {}, ({"calendar": "360_day"}, {"calendar": "noleap"}, {"calendar": "moon"}, {"bounds": "time_bnds"})
        )
        return self.often(usual, odd), {"units": units, **calendar}

    def coordinates(self, usual):
        """Centres, or such as no grid has."""
        odd = (
            *(usual[::-1], usual * 0 + 1, usual * np.nan, usual + 1000, usual**3, usual.astype("float32")),
            np.where(usual == usual[:1], np.inf, usual),
        )
        return self.often(usual, odd, share=0.75)

    def attributes(self):
        """Attributes of an array."""
        found = {
            "units": self.often("1", (1, "🌡", "K", "<b>", "")),
            "grid_mapping": self.often("crs", ("none", "crs: x y", "")),
        }
        odd = ("x", [1.0, 2.0], "", *ODD_NUMBERS, *NOT_FINITE)
        for key in ("scale_factor", "add_offset", "missing_value", "valid_min", "valid_max", "valid_range"):
            if self.random.random() > self.share:
                found[key] = self.pick(odd)
        if self.random.random() > self.share:
            found |= {
                "flag_values": self.pick(([1, 2], [1e20, np.nan], "1, 2", [])),
                "flag_meanings": self.pick(("a b", "", "a")),
            }
        if self.random.random() > self.share:
            found |= {
                "_Unsigned": self.pick(("true", "false", "x")),
                "long_name": self.pick(NAMES),
                "standard_name": self.pick(NAMES),
            }
        return found

    def broken(self, number):
        """Write a file that is truncated, empty, or of another type than its name."""
        end = self.pick(
            (".tif", ".nc", ".zarr", ".jp2", ".vrt", ".png", ".grib2", ".h5", ".zarr.zip", ".json", ".geojson")
        )
        path = self.folder / f"{self.name(number)}{end}"
        how = self.random.integers(4)
        if how == 0:
            path.touch()
        elif how == 1:
            path.write_bytes(self.random.bytes(500))
        elif how == 2:
            path.mkdir()
        else:
            whole = self.folder / "whole.tif"
            write_raster(whole, self.random.random((1, 64, 64)).astype("float32"), compress="deflate")
            content = whole.read_bytes()
            whole.unlink()
            path.with_suffix(".tif").write_bytes(content[: self.random.integers(1, len(content))])
