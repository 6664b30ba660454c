"""What protocols of processes share: executions, their results, and the jobs that they become."""
