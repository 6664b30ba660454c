"""What is between the socket and the protocols: middleware, limits, work in threads, the form of answers."""
