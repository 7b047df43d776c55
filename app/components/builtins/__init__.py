"""The components that come with Tacit. They use only what ``app.sdk`` offers every author."""
