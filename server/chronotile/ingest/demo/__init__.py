"""The demo archive: a synthetic landscape of central Belgium through five years of seasons, clouds and snow."""

from chronotile.ingest.demo.archive import make_demo
from chronotile.ingest.demo.plan import DemoPlan

__all__ = ["DemoPlan", "make_demo"]
