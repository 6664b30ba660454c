"""Files of places from clients: right ones of every accepted format, hostile ones, and mutations."""

import io
import random
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import shapely
from pyogrio import raw
from pyproj import Transformer

CRS = ("EPSG:4326", "EPSG:3857", "EPSG:31370", "EPSG:32631", "EPSG:3035", "EPSG:27700", "EPSG:2180", "EPSG:28992")
DRIVERS = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf"}
WORDS = ("Veld", "é à ü", "Γη", "поле", "", "y" * 80, "a,b;c", '"quoted"')
NAMES_OF_SCHEMAS = (
    *("comment before virtual", "rtree in a comment", "virtual table as a table", "view as a table", "view"),
    *("endless column", "large column", "larger column", "file column", "library column", "default"),
    *("another virtual table", "system table as a view", "recursive view"),
    *("registered virtual table", "registered virtual table with a root", "registered view"),
    *("registered view as a table", "registered full text", "registered rtree", "registered database page"),
    *("two tables of one name", "generated geometry", "trigger", "index", "partial index"),
)
"""Cases of `hostile_schemas`."""


def random_shapes(chance: random.Random, crs: str) -> list[shapely.Geometry]:
    """Polygons with holes and islands, lines and points near Brussels, in coordinates of `crs`."""
    from_degrees = Transformer.from_crs("OGC:CRS84", crs, always_xy=True)

    def one(number: int) -> shapely.Geometry:
        lon, lat, size = 4 + 0.02 * number, 50 + chance.random(), 0.001 + 0.005 * chance.random()
        outer = shapely.Point(lon, lat).buffer(size, quad_segs=chance.randint(1, 9))
        lake = shapely.Point(lon, lat).buffer(size / 2, quad_segs=chance.randint(1, 9))
        island = shapely.Point(lon, lat).buffer(size / 4)
        ringed = shapely.MultiPolygon([shapely.Polygon(outer.exterior, [lake.exterior]), island])
        return chance.choice([outer, shapely.Polygon(outer.exterior, [lake.exterior]), ringed])

    shapes = [one(number) for number in range(chance.randint(1, 12))]
    return [shapely.transform(each, lambda xy: np.column_stack(from_degrees.transform(*xy.T))) for each in shapes]


def write_places(path: Path, chance: random.Random, *, crs: str | None = None) -> Path:
    """Write random places with fields of random types; the suffix chooses the format."""
    crs = crs or chance.choice(CRS)
    shapes = random_shapes(chance, crs)
    names = np.array([chance.choice(WORDS) or None for _ in shapes], dtype=object)
    areas = np.array([chance.choice([1.5, -2.25, np.nan]) for _ in shapes])
    numbers = np.array([chance.randint(-(10**8), 10**8) for _ in shapes], dtype=np.int32)
    # Only GeoPackages take shapes of several types.
    raw.write(
        path,
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [names, areas, numbers],
        ["name", "area", "number"],
        geometry_type="Unknown" if path.suffix == ".gpkg" else "MultiPolygon" if path.suffix == ".fgb" else "Polygon",
        crs=crs,
        driver=DRIVERS[path.suffix],
        encoding="UTF-8",
        promote_to_multi=path.suffix == ".fgb",
    )
    return path


def upload_of(path: Path) -> bytes:
    """Return the upload of a file: a shapefile as a ZIP."""
    if path.suffix != ".shp":
        return path.read_bytes()
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as members:
        for part in sorted(path.parent.glob(f"{path.stem}.*")):
            members.write(part, part.name)
    return packed.getvalue()


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a file with some bytes changed, removed, repeated or replaced by extremes."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        at, size = chance.randrange(len(changed) + 1), chance.choice([1, 2, 4, 8, 64])
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes(byte ^ 1 << chance.randrange(8) for byte in changed[at : at + 1])
            case 1:
                changed[at : at + size] = chance.randbytes(size)
            case 2:
                changed[at : at + size] = chance.choice([b"\0", b"\xff", b"\x7f"]) * size
            case 3:
                del changed[at : at + size]
            case 4:
                changed[at:at] = changed[at : at + size]
            case 5:
                changed = changed[: max(at, 1)] if chance.random() < 0.2 else changed
    return bytes(changed)


def mutated_upload(path: Path, chance: random.Random) -> bytes:
    """Return an upload with mutated unpacked parts: mutations of a ZIP itself fail its checksums."""
    if path.suffix != ".shp":
        return mutated(path.read_bytes(), chance)
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as members:
        for part in sorted(path.parent.glob(f"{path.stem}.*")):
            content = part.read_bytes()
            members.writestr(part.name, mutated(content, chance) if chance.random() < 0.5 else content)
    return packed.getvalue()


def hostile_schemas(path: Path) -> Mapping[str, Callable[[], bytes]]:
    """Return makers of GeoPackages whose schema is a program, by name; each is a change of the file at `path`."""
    name, columns = path.stem, '"fid" INTEGER PRIMARY KEY, "geom" BLOB, "name" TEXT'
    generated = f'CREATE TABLE "{name}" ({columns}, "area" AS ({{}}) {{}})'
    endless = "'" + "a" * 60 + "' LIKE '" + "%a" * 40 + "b'"

    def altered(*statements: str) -> Callable[[], bytes]:
        def make() -> bytes:
            copy = path.with_name("copy.gpkg")
            copy.write_bytes(path.read_bytes())
            with closing(sqlite3.connect(copy)) as file, file:
                file.execute("PRAGMA writable_schema = ON")
                for statement in statements:
                    file.execute(statement)
            return copy.read_bytes()

        return make

    def schema(sql: str, kind: str = "table") -> str:
        text = sql.replace("'", "''")
        return f"UPDATE sqlite_master SET type = '{kind}', sql = '{text}' WHERE name = '{name}'"

    def extra(kind: str, other: str, sql: str) -> str:
        text = sql.replace("'", "''")
        return f"INSERT INTO sqlite_master VALUES ('{kind}', '{other}', '{other}', 0, '{text}')"

    def registered(sql: str, kind: str = "table", root: str = "0") -> Callable[[], bytes]:
        text = sql.replace("'", "''")
        return altered(
            f"INSERT INTO sqlite_master SELECT '{kind}', 'other', 'other', {root}, '{text}' "
            f"FROM sqlite_master WHERE type = 'table' AND name = '{name}'",
            "UPDATE gpkg_contents SET table_name = 'other'",
            "UPDATE gpkg_geometry_columns SET table_name = 'other'",
        )

    text_file = "VirtualText('/etc/passwd', 'UTF-8', 0, POINT, NONE, 'n')"
    return {
        "comment before virtual": altered(schema(f'CREATE /**/ VIRTUAL TABLE "{name}" USING {text_file}')),
        "rtree in a comment": altered(schema(f'CREATE VIRTUAL /**/ TABLE "{name}" USING {text_file} -- using rtree')),
        "virtual table as a table": altered(schema(f'CREATE VIRTUAL TABLE "{name}" USING fts5(geom, name, area)')),
        "view as a table": altered(
            schema(f"CREATE VIEW \"{name}\" AS SELECT 1 fid, 'x' geom, readfile('/etc/passwd') name")
        ),
        "view": altered(schema(f"CREATE VIEW \"{name}\" AS SELECT 1 fid, 'x' geom, 1 name", "view")),
        "endless column": altered(schema(generated.format(endless, "VIRTUAL"))),
        "large column": altered(schema(generated.format("printf('%.*c', 200000000, 'x')", "VIRTUAL"))),
        "larger column": altered(schema(generated.format("hex(zeroblob(400000000))", "STORED"))),
        "file column": altered(schema(generated.format("readfile('/etc/passwd')", "VIRTUAL"))),
        "library column": altered(schema(generated.format("load_extension('/tmp/x.so')", "VIRTUAL"))),
        "default": altered(schema(f'CREATE TABLE "{name}" ({columns}, "area" DEFAULT (randomblob(900000000)))')),
        "another virtual table": altered(extra("table", "other", f"CREATE VIRTUAL TABLE other USING {text_file}")),
        "system table as a view": altered(
            "DROP TABLE gpkg_geometry_columns",
            f"CREATE VIEW gpkg_geometry_columns AS SELECT '{name}' table_name, 'geom' column_name, 4326 srs_id, "
            "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) z",
        ),
        "recursive view": altered(
            "DROP TABLE gpkg_contents",
            "CREATE VIEW gpkg_contents AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
            f"SELECT '{name}' table_name, 'features' data_type FROM c",
        ),
        "registered virtual table": registered(f"CREATE /**/ VIRTUAL TABLE other USING {text_file}"),
        "registered virtual table with a root": registered(
            f"CREATE VIRTUAL TABLE other USING {text_file}", root="rootpage"
        ),
        "registered view": registered(f"CREATE VIEW other AS SELECT fid, geom, {endless} AS name FROM {name}", "view"),
        "registered view as a table": registered(f"CREATE VIEW other AS SELECT fid, geom, name FROM {name}"),
        "registered full text": registered("CREATE VIRTUAL TABLE other USING fts5(geom, name)"),
        "registered rtree": registered("CREATE VIRTUAL TABLE other USING rtree(geom, a, b)"),
        "registered database page": registered("CREATE VIRTUAL TABLE other USING dbstat"),
        "two tables of one name": registered(f"CREATE TABLE other ({columns})", root="rootpage"),
        "generated geometry": registered(
            'CREATE TABLE other ("fid" INTEGER PRIMARY KEY, "raw" BLOB, "geom" AS (zeroblob(900000000)), "name" TEXT)',
            root="rootpage",
        ),
        "trigger": altered(f'CREATE TRIGGER t AFTER INSERT ON "{name}" BEGIN SELECT readfile(1); END'),
        "index": altered(f'CREATE INDEX i ON "{name}" (hex(zeroblob(length(geom) * 0 + 9)))'),
        "partial index": altered(f"CREATE INDEX i ON \"{name}\" (name) WHERE name LIKE '%a%a%a%b'"),
    }
