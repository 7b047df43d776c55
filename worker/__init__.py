"""The Tacit worker: a remote runner that holds its own key and nothing else."""
