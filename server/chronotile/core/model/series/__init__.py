"""Values along time, and what is computed from them."""
