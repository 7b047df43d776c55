"""What becomes of a run: states, queue, claims, events, workers, the reaper."""
