"""Jobs run on processes of this machine or on Dask: queue and processes together."""
