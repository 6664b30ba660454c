"""Sources on other machines: requests, retries, state."""
