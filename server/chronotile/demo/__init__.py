"""The demo archive: a synthetic landscape of central Belgium through five years of seasons, clouds and snow."""

from chronotile.demo.archive import make_demo
from chronotile.demo.plan import DemoPlan

__all__ = ["DemoPlan", "make_demo"]
