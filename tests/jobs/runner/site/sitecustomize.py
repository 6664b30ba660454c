"""Adds the processes of tests to the existing ones, in every Python that starts with this folder on its path."""

from pathlib import Path

import chronotile.jobs.processes

chronotile.jobs.processes.__path__.append(str(Path(__file__).parent / "made"))
