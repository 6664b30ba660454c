"""Collections and layers made from the configuration, and resolution of requested names and times."""
