"""Execution of jobs on OS processes of this machine or on a Dask cluster."""
