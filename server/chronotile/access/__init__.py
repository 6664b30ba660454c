"""The user, and what is there for them: credentials, keys, and the gate before the cache of answers."""
