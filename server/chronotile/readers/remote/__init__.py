"""Files on other machines: requests, retries, states."""
