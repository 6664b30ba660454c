"""What is held between requests, each within a bound in bytes."""
