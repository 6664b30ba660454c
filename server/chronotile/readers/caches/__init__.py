"""What readers keep, each within its bound."""
