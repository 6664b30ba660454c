"""Providers with which any pygeoapi serves what chronotile reads: coverages, environmental data, maps.

In a configuration of pygeoapi a provider is `name: chronotile.pygeoapi.CoverageProvider` (or `EDRProvider`,
`MapProvider`) with `data`, a configuration file of chronotile or a file or folder of data, and `options: {collection}`,
the id of a collection or layer in it.
"""

from chronotile.pygeoapi.edr import EDRProvider
from chronotile.pygeoapi.grids import CoverageProvider, MapProvider

__all__ = ["CoverageProvider", "EDRProvider", "MapProvider"]
