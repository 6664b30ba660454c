"""Items of collections, added and removed by programs."""
