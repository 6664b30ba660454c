"""One package a protocol: text in, core request, pipeline verb, answer out."""
