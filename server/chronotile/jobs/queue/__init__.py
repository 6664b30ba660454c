"""The durable queue of jobs: table, attempts, heartbeat, outbox and results. It contains no code for rasters."""
