"""The durable queue of jobs: table, attempts, heartbeat, outbox, results. Knows nothing of rasters."""
