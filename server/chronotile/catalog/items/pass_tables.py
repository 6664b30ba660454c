"""Tables of the passes over sources of items."""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()
PASSES = sa.Table(
    "chronotile_source_passes",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("is_whole", sa.Boolean, nullable=False),
    sa.Column("is_done", sa.Boolean, nullable=False),
    sa.Column("cursor", sa.Text),
    sa.Column("since", sa.Text),  # marker of the source's state: the next pass lists later changes
    sa.Column("whole_at", sa.Float(53)),  # end of the last whole pass
    sa.Column("holder", sa.String(80)),
    sa.Column("held_until", sa.Float(53), nullable=False),
)
ENTRIES = sa.Table(
    "chronotile_source_entries",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False),  # number of the last pass that listed the entry
    sa.Column("read", sa.Integer, nullable=False),  # number of the last pass that read the entry
    sa.Column("problem", sa.Text),
)
ENTRY_ITEMS = sa.Table(
    "chronotile_source_items",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("read", sa.Integer, nullable=False),
    sa.Index("ix_chronotile_source_items_id", "collection", "id"),
)
FIRST_PASSES = sa.Table(
    "chronotile_source_first_passes",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("change", sa.BigInteger, nullable=False),  # last change of the index when the first whole pass ended
)
IS_WHOLE = PASSES.c.collection.is_(None) | PASSES.c.whole_at.is_not(None)
"""Condition on collections outer-joined with `PASSES`: a whole pass finished, or items are only put by requests."""
IS_FILLED = IS_WHOLE | FIRST_PASSES.c.change.is_not(None)
"""Condition: a first whole pass ended, perhaps with unreadable entries."""


MAKING = 7_105_201
"""Advisory lock: only its holder creates the tables of the index."""


def scope_of(archive: Any, collection: Any) -> Any:  # noqa: ANN401 -- text, or SQLAlchemy's columns
    """Return the key of a collection in the tables of passes; columns give an SQL expression."""
    return archive + "/" + collection
