"""Series and values of places: JSON, CSV, GeoJSON, CoverageJSON, NetCDF, Parquet."""
