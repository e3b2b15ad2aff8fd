"""The Linux calls that Python 3.11 has no name for. Everything here works in the calling process."""
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)
SYS_FINIT_MODULE = 313  # x86_64, the only architecture that User-Mode Linux is packaged for


def _check(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def mount(source, target, kind=None, flags=0, options=None):
    encode = lambda text: None if text is None else os.fsencode(text)  # noqa: E731
    _check(_libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(options)),
           f"mount {source} on {target}")


def umount(target):
    MNT_DETACH = 2
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def setns(fd, flags):
    _check(_libc.setns(fd, flags), "setns")


def set_link(device, up):
    """`ip link set DEVICE up|down` in the current network namespace, at once: a fork may take a second."""
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
    request = struct.Struct("=16sH22x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, SIOCGIFFLAGS, request.pack(device.encode(), 0))
        flags = request.unpack(answer)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, request.pack(device.encode(), flags | IFF_UP if up else flags & ~IFF_UP))


def kernel_words():
    """What the host's side says on the kernel's command line: NAME=VALUE."""
    with open("/proc/cmdline", encoding="ascii") as file:
        return dict(word.partition("=")[::2] for word in file.read().split())


def load_module(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        _check(_libc.syscall(SYS_FINIT_MODULE, fd, b"", 0), f"load {path}")
    except FileExistsError:
        pass
    finally:
        os.close(fd)


def load_modules(tree, names):
    """Loads the named modules and what they need; tree is /usr/lib/uml/modules/VERSION."""
    needs = {}
    with open(f"{tree}/modules.dep", encoding="ascii") as dep:
        for line in dep:
            path, _, before = line.partition(":")
            needs[os.path.basename(path).removesuffix(".ko")] = (path, before.split())
    loaded = set()
    for name in names:
        path, before = needs[name]
        for file in [*reversed(before), path]:
            if file not in loaded:
                load_module(f"{tree}/{file}")
                loaded.add(file)


class netns:
    """with netns("router"): what is done inside is done in that network namespace."""

    def __init__(self, name):
        self.path = f"/run/netns/{name}"

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        setns(there, CLONE_NEWNET)
        os.close(there)

    def __exit__(self, *_):
        setns(self.home, CLONE_NEWNET)
        os.close(self.home)
