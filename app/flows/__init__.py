"""What is a valid flow: its graph, what is wrong with it, and how it is kept."""
