"""Jobs: their queue, processes and execution."""
