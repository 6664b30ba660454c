"""Jobs: their queue, the processes they run, and what runs them."""
