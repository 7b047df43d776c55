"""The components that come with Tacit. They use only what other authors have: ``app.sdk``."""
