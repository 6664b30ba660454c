"""The database of the item index, and its tables in SQLite and in PostgreSQL.

Instants are nanoseconds since 1970, UTC; boxes of `COVERS` are millionths of a degree, rounded outwards.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chronotile.core.database import POSTGRESQL, SQLITE, Usage, Waits

INDEX_FILE = "index.sqlite"
WAITS = Waits()
INDEX = Usage(
    name="the item index",
    folder="the folder of the item index",
    variable="CHRONOTILE_JOBS_DIR",
    missing="the tables of the item index are missing from their database; restart the servers, which create them, "
    "and run `chronotile index`, which fills them",
    file=INDEX_FILE,
    synchronous="NORMAL",  # rows that a power failure loses are put again
    waits=lambda: WAITS,
)
VERSION = 4
"""Version of the tables. Versions 2 and 3 are completed, older ones are filled again, newer ones are refused."""

METADATA = sa.MetaData()
TEXT = sa.Text().with_variant(sa.Text(collation="C"), POSTGRESQL)
"""Text that both databases sort by code points."""
PROPERTIES = sa.JSON().with_variant(JSONB(), POSTGRESQL)

SCHEMA = sa.Table(
    "chronotile_item_schema",
    METADATA,
    sa.Column("version", sa.Integer, nullable=False),
    # Numbers of items are never used again, even after the item is removed.
    sa.Column("next_item", sa.BigInteger, nullable=False),
    sa.Column("next_collection", sa.Integer, nullable=False),
    # Number of the next transaction that changes items. Numbers are in the order of commits, as it locks this row.
    # `first_change` is the first of this index; earlier changes belong to an index that no longer exists.
    sa.Column("next_change", sa.BigInteger, nullable=False),
    sa.Column("first_change", sa.BigInteger, nullable=False),
)

COLLECTIONS = sa.Table(
    "chronotile_item_collections",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("archive", sa.String(200), nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("grouping", sa.String(16), nullable=False),
    sa.Column("order_by", sa.Text),
    sa.Column("is_descending", sa.Boolean, nullable=False),
    # JSON list of the properties that have rows in `VALUES`; NULL: none.
    sa.Column("searched", sa.Text),
    sa.Column("counter", sa.BigInteger, nullable=False, default=0),
    sa.Column("times_counter", sa.BigInteger, nullable=False, default=0),
    sa.Column("layouts_counter", sa.BigInteger, nullable=False, default=0),
    # Items up to this number are grouped and ordered by these columns; NULL: all items.
    sa.Column("reordered_to", sa.BigInteger),
    # Levels of cells that occur, as bits; bit 0 is the level of the whole earth.
    sa.Column("levels", sa.Integer, nullable=False, default=0),
    # Longest duration of an item in nanoseconds.
    sa.Column("longest", sa.BigInteger, nullable=False, default=0),
    # Number of removed items in the feed of changes, and the last change whose removed items the feed has no longer.
    sa.Column("removed", sa.Integer, nullable=False, default=0),
    sa.Column("forgotten", sa.BigInteger, nullable=False, default=0),
    # A box around all items; `west_360` and `east_360` count longitudes from 0 to 360.
    *(sa.Column(name, sa.Double) for name in ("west", "south", "east", "north", "west_360", "east_360")),
    sa.UniqueConstraint("archive", "id"),
)

ITEMS = sa.Table(
    "chronotile_items",
    METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), SQLITE), primary_key=True, autoincrement=False),
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("id", TEXT, nullable=False),
    sa.Column("instant", sa.BigInteger, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger),
    sa.Column("changed", sa.BigInteger, nullable=False),
    # Changes that added it and last replaced it.
    sa.Column("first_change", sa.BigInteger, nullable=False),
    sa.Column("last_change", sa.BigInteger, nullable=False),
    # First eight bytes of the id of its product.
    sa.Column("product", sa.BigInteger, nullable=False),
    # Order among the items of an instant; NULL comes last.
    sa.Column("rank", sa.Double),
    *(sa.Column(name, sa.Double, nullable=False) for name in ("west", "south", "east", "north")),
    sa.Column("footprint", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("collection", "id"),
    sa.Index("chronotile_items_by_instant", "collection", "instant"),
    sa.Index("chronotile_items_by_start", "collection", "start", "number"),
    sa.Index("chronotile_items_by_change", "collection", "last_change", "number"),
    sa.Index("chronotile_items_by_product", "product"),
    # Two directions, so the first of many items of one rank are found; items without a rank come last in both.
    sa.Index("chronotile_items_by_rank", "collection", "rank", "number"),
    sa.Index("chronotile_items_by_rank_falling", "collection", sa.text("rank DESC"), "number").ddl_if(dialect=SQLITE),
    sa.Index("chronotile_items_by_rank_falling", "collection", sa.text("rank DESC NULLS LAST"), "number").ddl_if(
        dialect=POSTGRESQL
    ),
)

REMOVED = sa.Table(
    "chronotile_items_removed",
    METADATA,
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False),
    sa.Column("item", sa.BigInteger, nullable=False),
    sa.Column("id", TEXT, nullable=False),
    sa.PrimaryKeyConstraint("collection", "change", "item"),
    sqlite_with_rowid=False,
)

BODIES = sa.Table(
    "chronotile_item_bodies",
    METADATA,
    sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), SQLITE), primary_key=True, autoincrement=False),
    sa.Column("assets", sa.LargeBinary, nullable=False),
    sa.Column("properties", PROPERTIES, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

COVERS = sa.Table(
    "chronotile_item_covers",
    METADATA,
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("cell", sa.BigInteger, nullable=False),
    sa.Column("instant", sa.BigInteger, nullable=False),
    sa.Column("item", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("west", "south", "east", "north")),
    # Both databases read all columns from the index itself.
    sa.PrimaryKeyConstraint("collection", "cell", "instant", "item").ddl_if(dialect=SQLITE),
    sa.Index(
        "chronotile_item_covers_by_cell",
        *("collection", "cell", "instant", "item"),
        unique=True,
        postgresql_include=["west", "south", "east", "north"],
    ).ddl_if(dialect=POSTGRESQL),
    sqlite_with_rowid=False,
)

# One row per item and property that its collection lists in `searched`.
VALUES = sa.Table(
    "chronotile_item_values",
    METADATA,
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("item", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("collection", "value", "start", "item"),
    sqlite_with_rowid=False,
)

INSTANTS = sa.Table(
    "chronotile_item_instants",
    METADATA,
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("instant", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("items", sa.Integer, nullable=False),
    # Counter of the collection at the last change of an item of this instant; 1: no change since this column exists;
    # 0: written by a process of an older version.
    sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"),
    sa.PrimaryKeyConstraint("collection", "instant"),
    sqlite_with_rowid=False,
)

FORMS = sa.Table(
    "chronotile_item_asset_forms",
    METADATA,
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(16), nullable=False),
    sa.Column("items", sa.Integer, nullable=False),  # number of items with this form
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("digest", "collection"),
)

HEADERS = sa.Table(
    "chronotile_item_headers",
    METADATA,
    sa.Column("item", sa.BigInteger, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("header", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("item", "asset"),
)
