"""What those who run the service ask it."""
