"""Users and their rights: credentials, keys, sessions, quotas, and the gate before the replay of answers."""
