"""Letters, and handing them to a mail server."""
