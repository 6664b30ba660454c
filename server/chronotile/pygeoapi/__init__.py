"""Providers for any pygeoapi server: coverages, environmental data and maps of archives.

In a configuration of pygeoapi a provider is `name: chronotile.pygeoapi.CoverageProvider` (or `EDRProvider`,
`MapProvider`) with `data`, a configuration file of chronotile or a file or folder of data, and `options: {collection}`,
the id of a collection or layer in it.
"""

from chronotile.pygeoapi.edr import EDRProvider
from chronotile.pygeoapi.grids import CoverageProvider, MapProvider

__all__ = ["CoverageProvider", "EDRProvider", "MapProvider"]
