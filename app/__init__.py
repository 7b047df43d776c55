"""The Tacit server: pages, JSON API, runtime API, and the rooms beneath them."""
