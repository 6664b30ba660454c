"""Hours of mixed requests, appends, reloads and clients that leave, with the memory of every worker watched."""
