"""What the pages, the JSON API and the runtime API share of HTTP (ADR 0002)."""
