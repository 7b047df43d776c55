"""The leak drill: canaries led through an installation, and the hunt for them."""
