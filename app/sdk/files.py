"""Files of a run: in its own folder, and in those that worker and environment both list.

::

    place = locate(context, context.config.path)
    data, changed = read_file(place, 1024 * 1024, context.cancelled.raise_if_set)

No link is followed. What is kept in a file is masked by nobody: ask ``context.holds_secret``.
"""

from app.components.files import Place, locate, read_file, write_file
from app.components.folders import Folder

__all__ = ["Folder", "Place", "locate", "read_file", "write_file"]
