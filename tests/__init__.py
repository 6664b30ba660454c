"""Tests, and what they share: a package of its own, since libraries install one of the same name."""
