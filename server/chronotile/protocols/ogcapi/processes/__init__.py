"""OGC API - Processes: what can be done, as a request that waits or as a job."""
