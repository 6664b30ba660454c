"""Documents elsewhere: which addresses are allowed, and requests bounded in bytes and time."""
