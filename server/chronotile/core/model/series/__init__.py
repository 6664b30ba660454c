"""Values along time, and analyses of them."""
