"""What a run's process gives up before it claims: user, privileges, files, memory of others.

Each step is taken where the platform has it. What is in force goes into the worker's heartbeat;
what is missing is said in a sentence at start-up.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import stat
import struct
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.components.folders import Folder
from worker import seccomp
from worker.limits import ProcessLimits

NOBODY: Final = 65534

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
# The numbers are the same on every architecture (Linux 5.13 and later).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
# To write, make and remove files, and make folders; no links, devices, pipes or sockets.
_CHANGE = _WRITE | _TRUNCATE | 1 << 5 | 1 << 7 | 1 << 8
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL_DEV
# Rights that each version of Landlock knows: 1 up to making symbolic links, 2 refer, 3 truncate,
# 5 ioctl on devices.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1  # version 4
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1  # version 6

_SYSTEM = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ssl", "/etc/pki",
    "/etc/ca-certificates", "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
    "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/passwd",
    "/etc/group", "/etc/localtime", "/etc/ld.so.cache", "/etc/mime.types", "/etc/python3",
    "/proc/self", "/run/systemd/resolve",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is in force in a run's process.

    :param landlock: version of Landlock that confines it; 0 for none.
    """

    uid: int
    landlock: int
    no_new_privs: bool
    undumpable: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as the heartbeat carries it."""
        return asdict(self)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel send ``number`` to this process when its parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the kernel knew of the wish


def adopt() -> None:
    """Have processes below this one that lose their parent become its children (prctl(2))."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def become_undumpable() -> bool:
    """Shut this process's memory and descriptors to others of the same user; no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return bool(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def code_folders() -> list[Path]:
    """Return the folders that the interpreter and the worker's code are read from."""
    import app
    import worker

    folders = [
        Path(os.path.realpath(sys.executable)).parent, Path(sys.prefix), Path(sys.base_prefix),
        Path(sysconfig.get_paths()["stdlib"]), Path(sysconfig.get_paths()["purelib"]),
    ]
    folders += (Path(found).parent for found in (app.__file__, worker.__file__) if found)
    # An environment may borrow another one's libraries.
    folders += (Path(at) for at in sys.path if at.endswith(("/site-packages", "/dist-packages")))
    return list(dict.fromkeys(folders))


def other_user() -> int | None:
    """Return the user that runs are given over to; None where they stay with this one.

    Only root can, and only where others can read the interpreter and the code.
    """
    if os.geteuid() != 0 or closed_folder() is not None:
        return None
    return NOBODY


def closed_folder() -> Path | None:
    """Return a folder of the code that other users can't enter, if there is one."""
    for folder in code_folders():
        for part in (folder, *folder.parents):
            if part.exists() and stat.S_IMODE(part.stat().st_mode) & 0o005 != 0o005:
                return part
    return None


def closed_above(folder: Path) -> Path | None:
    """Return a folder on the way to ``folder`` that other users can't pass, if there is one."""
    for part in (folder, *folder.absolute().parents):
        if not stat.S_IMODE(part.stat().st_mode) & 0o001:
            return part
    return None


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 where it has none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def confine(
    scratch: Path,
    parent: int,
    *,
    uid: int | None,
    limits: ProcessLimits | None = None,
    folders: Iterable[Folder] = (),
) -> Confinement:
    """Give up everything that a run doesn't need. Can't be undone.

    :param scratch: the one folder that stays writable.
    :param parent: the process with which this one has to end.
    :param uid: the user to become, from :func:`other_user`.
    :param limits: what the process may use of its machine.
    :param folders: what else it may read, and write where that is said.
    """
    (limits or ProcessLimits()).apply()
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    # A change of user clears the wish to die with the parent, and the dumpable flag.
    die_with_parent(parent)
    adopt()
    quiet = _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    landlock = _landlock(scratch, folders) if quiet else 0
    return Confinement(os.geteuid(), landlock, quiet, become_undumpable())


def shortcomings(confinement: Confinement, key_file: Path) -> list[str]:
    """Say in sentences what is missing; empty where nothing is."""
    found = []
    if not confinement.landlock:
        found.append(
            "This kernel has no Landlock: runs can read and write every file that their user can."
        )
        if confinement.uid == os.geteuid():
            found.append(
                f"Runs have the same user as the worker, so they could read its key ({key_file}) "
                "and, where the server is on this machine, perhaps the master key. Start the "
                "worker as root from a folder open to all, or use a kernel with Landlock."
            )
    if confinement.uid == 0:
        found.append(
            f"Runs stay root, since other users can't enter {closed_folder()}. Move the checkout "
            "to a folder open to all, such as /opt, or start the worker as another user."
        )
    return found


def shut_in() -> int:
    """Give up every file, the network and new privileges; returns Landlock's version in force.

    For a process that reckons and does nothing else: what it has loaded and opened stays.
    """
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    become_undumpable()
    version = _restrict(lambda _rules, _handled: None, _BIND_TCP | _CONNECT_TCP)
    seccomp.refuse_system_calls()
    return version


@cache
def readable() -> tuple[Path, ...]:
    """Return what every run's process may read and execute; looked for once, before any is forked.

    None of them lies in another one.
    """
    # Loaded by the zygote; what only reckons imports this module and no component.
    from app.components.registry import registry

    # Packages of components may stand elsewhere: installed from where they are worked on.
    found = {*map(Path, _SYSTEM), *code_folders(), *registry().folders()}
    return tuple(sorted(path for path in found if not found & set(path.parents)))


def _landlock(scratch: Path, folders: Iterable[Folder]) -> int:
    """Confine this process to its code, its scratch folder and what is listed; returns the
    version in force."""

    def rules(number: int, handled: int) -> None:
        for path in readable():
            _allow(number, path, (_EXECUTE | _READ | _READ_DIR) & handled)
        for device in map(Path, _DEVICES):
            _allow(number, device, (_READ | _WRITE) & handled)
        _allow(number, scratch, handled & ~_EXECUTE)
        for folder in folders:
            rights = _READ | _READ_DIR | (_CHANGE if folder.writable else 0)
            _allow(number, folder.path, rights & handled)

    return _restrict(rules, 0)  # connections are the egress guard's matter


def _restrict(add_rules: Callable[[int, int], None], network: int) -> int:
    version = landlock_version()
    if not version:
        return 0
    handled = _RIGHTS[max(known for known in _RIGHTS if known <= version)]
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes += struct.pack("=Q", network)
    if version >= 6:
        attributes += struct.pack("=Q", _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS)
    rules = _libc.syscall(
        _CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
    )
    if rules < 0:
        return 0
    try:
        add_rules(rules, handled)
        return version if _libc.syscall(_RESTRICT_SELF, rules, ctypes.c_uint32(0)) == 0 else 0
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what isn't there needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        if _libc.syscall(_ADD_RULE, rules, 1, rule, ctypes.c_uint32(0)) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock refused a rule for {path}")
    finally:
        os.close(descriptor)
