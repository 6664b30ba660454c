"""Sources on other machines: opened with a deadline, tried again in the background."""
