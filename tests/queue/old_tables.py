"""Tables of jobs as older versions of chronotile made them, with a job of each status."""

import json

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
)

STATUSES = ("accepted", "running", "successful", "failed", "dismissed")
IDS = {status: f"{number:032x}" for number, status in enumerate(STATUSES, 1)}
EXECUTION = {"process": "echo", "inputs": {"string": "naïve"}, "outputs": {"string": {}}, "response": "document"}
RESULTS = {"string": {"value": "naïve", "file": None, "media_type": "application/json"}}
FAULT = {"type": "about:blank", "title": "Source unavailable", "detail": "the file is gone", "status": 503}
CREATED = 1_700_000_000.25
URL = "https://example.test/failed"


def old_metadata(version: int) -> MetaData:
    """Return the tables of a version, 1 to 3."""
    metadata = MetaData()
    Table("chronotile_schema", metadata, Column("version", Integer, nullable=False))
    asked = ["execution"] if version < 3 else ["inputs", "wanted"]
    counted = [Column("fruitless", Integer, nullable=False), Column("blocks", Integer), Column("not_before", Float(53))]
    indexes = [Index("ix_chronotile_jobs_next", "status", "number"), Index("ix_chronotile_jobs_open", "user", "status")]
    Table(
        "chronotile_jobs",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("id", String(32), nullable=False, unique=True),
        Column("process", String(80), nullable=False, index=True),
        *(Column(name, Text, nullable=False) for name in asked),
        Column("user", String(200)),
        Column("status", String(10), nullable=False),
        Column("message", Text, nullable=False),
        Column("progress", Integer, nullable=False),
        Column("created", Float(53), nullable=False),
        Column("updated", Float(53), nullable=False),
        Column("started", Float(53)),
        Column("finished", Float(53), index=True),
        Column("attempts", Integer, nullable=False),
        *(counted if version > 1 else ()),
        Column("owner", String(80)),
        Column("leased_until", Float(53)),
        Column("fault", Text),
        Column("results", Text),
        *(indexes if version == 1 else [*indexes, Index("ix_chronotile_jobs_of", "user", "number")]),
    )
    job = "chronotile_jobs.id"
    Table(
        "chronotile_blocks",
        metadata,
        Column("job", ForeignKey(job, ondelete="CASCADE"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("result", Text, nullable=False),
    )
    Table(
        "chronotile_log",
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("job", ForeignKey(job, ondelete="CASCADE"), nullable=False, index=True),
        Column("at", Float(53), nullable=False),
        Column("text", Text, nullable=False),
    )
    if version > 1:
        Table(
            "chronotile_callbacks",
            metadata,
            Column("job", ForeignKey(job, ondelete="CASCADE"), primary_key=True),
            Column("status", String(10), primary_key=True),
            Column("url", Text, nullable=False),
            Column("host", Text, nullable=False),
            Column("base", Text, nullable=False),
            Column("due", Float(53), index=True),
            Column("not_before", Float(53), nullable=False),
            Column("tries", Integer, nullable=False),
        )
    if version > 2:
        Table(
            "chronotile_workers",
            metadata,
            Column("id", String(80), primary_key=True),
            Column("seen", Float(53), nullable=False),
        )
    return metadata


def make_old_tables(engine: Engine, version: int) -> None:
    """Make the tables of a version: a job of each status, each with a line of log; the one that runs has a block."""
    metadata = old_metadata(version)
    tables = metadata.tables
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(tables["chronotile_schema"]).values(version=version))
        for status, id_ in IDS.items():
            connection.execute(insert(tables["chronotile_jobs"]).values(_row(version, status, id_)))
            connection.execute(insert(tables["chronotile_log"]).values(job=id_, at=CREATED, text=f"is {status}"))
        block = {"job": IDS["running"], "number": 0, "result": "{}"}
        connection.execute(insert(tables["chronotile_blocks"]).values(block))
        if version > 1:
            told = {"job": IDS["running"], "status": "failed", "url": URL, "host": "example.test", "base": URL}
            connection.execute(insert(tables["chronotile_callbacks"]).values(**told, not_before=0.0, tries=0))


def _row(version: int, status: str, id_: str) -> dict[str, object]:
    wanted = {name: EXECUTION[name] for name in ("outputs", "response")}
    asked = {"inputs": json.dumps(EXECUTION["inputs"]), "wanted": json.dumps(wanted)}
    has_ended = status not in {"accepted", "running"}
    return {
        "id": id_,
        "process": "echo",
        **(asked if version > 2 else {"execution": json.dumps(EXECUTION)}),
        "status": status,
        "message": f"is {status}",
        "progress": 0,
        "created": CREATED,
        "updated": CREATED,
        "started": None if status == "accepted" else CREATED,
        "finished": CREATED if has_ended else None,
        "attempts": 1,
        **({"fruitless": 0} if version > 1 else {}),
        "owner": "old worker" if status == "running" else None,
        "leased_until": CREATED + 30 if status == "running" else None,
        "fault": json.dumps(FAULT) if status == "failed" else None,
        "results": json.dumps(RESULTS) if status == "successful" else None,
    }
