"""The kernel keeps this process (Landlock) to its own files, and from connecting to anything.

`file()`, the File engine, INTO OUTFILE, executable dictionaries, url(), s3() and whatever else the
engine learns next are bound by it, whoever asks: a ClickHouse server confines most of them to a
folder, chdb confines none. https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

# The same numbers on every processor: these calls are younger than the common table.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH, _RULE_PORT = 1, 2
_ASK_VERSION = 1
_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ = _READ_FILE | _READ_DIR
_BIND, _BIND_AND_CONNECT = 1, 3

_SYSTEM = (
    "/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/usr/lib", "/usr/lib64", "/lib",
    "/lib64", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system",
    "/sys/fs/cgroup", "/dev/urandom", "/proc/self/maps", "/proc/self/auxv", "/proc/self/statm",
    "/proc/self/status",
    "/etc/ld.so.cache", "/etc/ssl", "/nix/store", "/gnu/store", "/proc/sys/vm/overcommit_memory",
)  # fmt: skip
"""What libraries read of the system: neither users, nor environments, nor anybody's documents."""


def confine(folder: Path, port: int) -> bool:
    """Leave to this process and its threads to come its folder, its libraries and its port.

    False where the kernel knows no Landlock (before Linux 5.13, other systems); ports are held from
    Linux 6.7 on. Raises OSError where the kernel refuses, though it knows how, and RuntimeError
    where a thread runs already, which would stay free.
    """
    if sys.platform != "linux":
        return False
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("a thread runs already, which would not be confined")
    everything = (1 << 13) - 1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL)):
        everything |= right if version >= since else 0
    net = _BIND_AND_CONNECT if version >= 4 else 0
    attributes = struct.pack("=QQ", everything, net)
    size = len(attributes) if net else len(attributes) // 2
    rules = _checked(kernel.syscall(_CREATE_RULESET, attributes, size, 0))
    try:
        # Not sys.path: its first entry is the folder of whoever started us, with all that is there.
        common = Path(sys.modules["gyre_common"].__file__ or "").parents[1]
        libraries = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2], common]
        _allow(kernel, rules, _READ & everything, [*libraries, *map(Path, _SYSTEM)])
        # What lies in it may be a link to another disk.
        _allow(kernel, rules, everything, [folder, *folder.iterdir(), Path("/dev/null")])
        if net:
            rule = struct.pack("=QQ", _BIND, port)
            _checked(kernel.syscall(_ADD_RULE, rules, _RULE_PORT, rule, 0))
        _checked(kernel.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(kernel.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)
    return True


def _allow(kernel: ctypes.CDLL, rules: int, rights: int, paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            continue
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            fitting = rights if path.is_dir() else rights & _OF_FILES
            rule = struct.pack("=Qi", fitting, descriptor)
            _checked(kernel.syscall(_ADD_RULE, rules, _RULE_PATH, rule, 0))
        finally:
            os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
