"""Verbs of pictures: maps, overlays, legends, time-lapses."""
