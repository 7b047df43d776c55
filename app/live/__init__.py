"""What does a page see of a run while it goes on? Server-sent events, on a listener of its own.

A raw ASGI application: a stream costs a coroutine here, where it would hold a whole thread of the
web listener. It holds the database (to read) and the queue's address, never the master key. See
docs/adr/0003-live-room.md.
"""

from app.live.application import LiveApp

__all__ = ["LiveApp"]
