"""HTTP between the socket and the protocols: limits, middleware, work in threads, headers and forms of answers."""
