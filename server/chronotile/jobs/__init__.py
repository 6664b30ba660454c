"""Work too large for one request: processes, a durable table of jobs, and Dask, which does them block by block."""
