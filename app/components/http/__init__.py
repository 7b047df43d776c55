"""What the HTTP components share: credentials, bodies, and one exchange with its redirects."""
