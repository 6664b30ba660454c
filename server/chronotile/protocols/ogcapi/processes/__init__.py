"""OGC API - Processes: processes, executed while the client waits or as jobs."""
