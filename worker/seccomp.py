"""A filter for a process that only reckons: the kernel refuses it every other system call.

Beside Landlock, and where there is none: no file can be opened, nothing started, no socket made,
no other process looked into. Hand-made BPF, since a library for four instructions is too much.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Final

_PR_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000

#: Audit architecture, and what a running interpreter needs: memory, its pipes, time, threads'
#: waiting, signals, randomness, its end.
_CALLS: Final = {
    "x86_64": (0xC000003E, (
        0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19, 20, 24, 25, 28, 35, 39, 60, 72, 96, 97,
        98, 131, 186, 201, 202, 204, 228, 229, 230, 231, 262, 270, 271, 302, 318, 334,
    )),
    "aarch64": (0xC00000B7, (
        25, 57, 62, 63, 64, 65, 66, 72, 73, 79, 80, 93, 94, 96, 98, 101, 113, 114, 115, 123, 124,
        131, 132, 134, 135, 139, 163, 165, 169, 172, 178, 214, 215, 216, 222, 226, 233, 261, 278,
        293,
    )),
}  # fmt: skip


def refuse_system_calls() -> bool:
    """Have all but the listed calls answered with "not permitted" from here on.

    :returns: whether the filter is in force; the kernel or the machine may not know it.
    """
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known
    program = _program(architecture, calls)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions and where they stand.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, header, 0, 0) == 0)


def _program(architecture: int, calls: tuple[int, ...]) -> bytes:
    """Return the filter's instructions: ``struct sock_filter``, eight bytes each."""
    made = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the call's number
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    for call in calls:
        made += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _ALLOW)]
    made.append((_RETURN, 0, 0, _ERRNO | errno.EPERM))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in made)
