"""Data of the measurements: synthetic NDVI of a fixed seed, and real NDVI if available."""
