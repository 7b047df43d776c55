"""What a node can do: port types, declarations, the registry, and the built-in components.

Nothing here knows a database, a web server or a vault: a component gets everything through its
:class:`~app.components.context.Context`.
"""
