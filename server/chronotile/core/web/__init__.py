"""Documents on other servers: allowed addresses, and requests limited in bytes and time."""
