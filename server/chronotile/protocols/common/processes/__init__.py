"""Parts that protocols of processes share: executions, their results, and jobs."""
