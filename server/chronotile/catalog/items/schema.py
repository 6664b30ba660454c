"""The database of the item index, and its tables in SQLite and in PostgreSQL.

Instants are nanoseconds since 1970, UTC; boxes of `COVERS` are millionths of a degree, rounded outwards.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from chronotile.core.database import POSTGRESQL, SQLITE, Usage, Waits

FILE = "index.sqlite"
WAITS = Waits()
INDEX = Usage(
    name="the item index",
    folder="the folder of the item index",
    variable="CHRONOTILE_JOBS_DIR",
    missing="the tables of the item index are missing from their database; restart the servers, which create them, "
    "and run `chronotile index`, which fills them",
    file=FILE,
    synchronous="NORMAL",  # what a loss of power takes away is put again
    waits=lambda: WAITS,
)
VERSION = 4
"""Of the tables. An index of version 2 or 3 is completed, an older one filled again, a newer one refused."""

METADATA = MetaData()
TEXT = Text().with_variant(Text(collation="C"), POSTGRESQL)
"""Sorted by the numbers of its characters in both databases."""
PROPERTIES = JSON().with_variant(JSONB(), POSTGRESQL)

SCHEMA = Table(
    "chronotile_item_schema",
    METADATA,
    Column("version", Integer, nullable=False),
    # Numbers of items are given once, also if the item is removed.
    Column("next_item", BigInteger, nullable=False),
    Column("next_collection", Integer, nullable=False),
    # Of transactions that add, replace or remove items, in the order of their commits: who changes items holds this row
    # until then. `first_change` is that of this index: changes before it, of an index that is gone, are not known.
    Column("next_change", BigInteger, nullable=False),
    Column("first_change", BigInteger, nullable=False),
)

COLLECTIONS = Table(
    "chronotile_item_collections",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("archive", String(200), nullable=False),
    Column("id", Text, nullable=False),
    Column("grouping", String(16), nullable=False),
    Column("order_by", Text),
    Column("is_descending", Boolean, nullable=False),
    # Names of properties of which there are `VALUES`, as a list in JSON; NULL: none.
    Column("searched", Text),
    Column("counter", BigInteger, nullable=False, default=0),
    Column("times_counter", BigInteger, nullable=False, default=0),
    Column("layouts_counter", BigInteger, nullable=False, default=0),
    # Up to which number items are grouped and ordered as these columns have it; NULL: all.
    Column("reordered_to", BigInteger),
    # Which levels of cells occur: bit 0 is that of the whole earth.
    Column("levels", Integer, nullable=False, default=0),
    # How long the longest item lasts, in nanoseconds.
    Column("longest", BigInteger, nullable=False, default=0),
    # How many removed items are listed, and which change was the last of those that are no longer.
    Column("removed", Integer, nullable=False, default=0),
    Column("forgotten", BigInteger, nullable=False, default=0),
    # A box around all items, and its west and east where longitudes count from 0 to 360.
    *(Column(name, Double) for name in ("west", "south", "east", "north", "west_360", "east_360")),
    UniqueConstraint("archive", "id"),
)

ITEMS = Table(
    "chronotile_items",
    METADATA,
    Column("number", BigInteger().with_variant(Integer(), SQLITE), primary_key=True, autoincrement=False),
    Column("collection", Integer, nullable=False),
    Column("id", TEXT, nullable=False),
    Column("instant", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("updated", BigInteger),
    Column("changed", BigInteger, nullable=False),
    # The changes that added and last replaced it.
    Column("first_change", BigInteger, nullable=False),
    Column("last_change", BigInteger, nullable=False),
    # The first eight bytes of the id of its product.
    Column("product", BigInteger, nullable=False),
    # By which the items of an instant are sorted; NULL comes last.
    Column("rank", Double),
    *(Column(name, Double, nullable=False) for name in ("west", "south", "east", "north")),
    Column("footprint", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    UniqueConstraint("collection", "id"),
    Index("chronotile_items_by_instant", "collection", "instant"),
    Index("chronotile_items_by_start", "collection", "start", "number"),
    Index("chronotile_items_by_change", "collection", "last_change", "number"),
    Index("chronotile_items_by_product", "product"),
    # Both ways, as the first items of many of one rank have to be found; items without a rank come last.
    Index("chronotile_items_by_rank", "collection", "rank", "number"),
    Index("chronotile_items_by_rank_falling", "collection", text("rank DESC"), "number").ddl_if(dialect=SQLITE),
    Index("chronotile_items_by_rank_falling", "collection", text("rank DESC NULLS LAST"), "number").ddl_if(
        dialect=POSTGRESQL
    ),
)

REMOVED = Table(
    "chronotile_items_removed",
    METADATA,
    Column("collection", Integer, nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("item", BigInteger, nullable=False),
    Column("id", TEXT, nullable=False),
    PrimaryKeyConstraint("collection", "change", "item"),
    sqlite_with_rowid=False,
)

BODIES = Table(
    "chronotile_item_bodies",
    METADATA,
    Column("item", BigInteger().with_variant(Integer(), SQLITE), primary_key=True, autoincrement=False),
    Column("assets", LargeBinary, nullable=False),
    Column("properties", PROPERTIES, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

COVERS = Table(
    "chronotile_item_covers",
    METADATA,
    Column("collection", Integer, nullable=False),
    Column("cell", BigInteger, nullable=False),
    Column("instant", BigInteger, nullable=False),
    Column("item", BigInteger, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("west", "south", "east", "north")),
    # Both databases find all of a row in the index itself.
    PrimaryKeyConstraint("collection", "cell", "instant", "item").ddl_if(dialect=SQLITE),
    Index(
        "chronotile_item_covers_by_cell",
        *("collection", "cell", "instant", "item"),
        unique=True,
        postgresql_include=["west", "south", "east", "north"],
    ).ddl_if(dialect=POSTGRESQL),
    sqlite_with_rowid=False,
)

# One row for an item and property that its collection names for searches.
VALUES = Table(
    "chronotile_item_values",
    METADATA,
    Column("collection", Integer, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("item", BigInteger, nullable=False),
    PrimaryKeyConstraint("collection", "value", "start", "item"),
    sqlite_with_rowid=False,
)

INSTANTS = Table(
    "chronotile_item_instants",
    METADATA,
    Column("collection", Integer, nullable=False),
    Column("instant", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("items", Integer, nullable=False),
    # The counter of the collection when an item of it was last put, replaced, removed or ordered in another way; 1: not
    # since there are such counters, 0: a process of an older version wrote it.
    Column("changed", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("collection", "instant"),
    sqlite_with_rowid=False,
)

FORMS = Table(
    "chronotile_item_asset_forms",
    METADATA,
    Column("collection", Integer, nullable=False),
    Column("digest", String(16), nullable=False),
    Column("items", Integer, nullable=False),  # whose assets have this form
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("digest", "collection"),
)

HEADERS = Table(
    "chronotile_item_headers",
    METADATA,
    Column("item", BigInteger, nullable=False),
    Column("asset", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("size", BigInteger),
    Column("header", LargeBinary, nullable=False),
    PrimaryKeyConstraint("item", "asset"),
)
