"""A server of raster time series: one pipeline behind every protocol."""

__version__ = "0.1.0"
