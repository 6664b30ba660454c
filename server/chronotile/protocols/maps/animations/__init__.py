"""`/animations`: time-lapses made by the server."""
