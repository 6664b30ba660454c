"""Adds the processes of tests to those that there are, in every Python that is started with this folder on its path."""

from pathlib import Path

import chronotile.jobs.processes

chronotile.jobs.processes.__path__.append(str(Path(__file__).parent / "made"))
