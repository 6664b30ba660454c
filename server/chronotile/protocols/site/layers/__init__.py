"""What is served: layers, their styles and their times."""
