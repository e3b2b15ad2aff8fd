"""The machine that the data path is measured on: Debian's cloud kernel and Debian's programs in an emulated machine,
whose clock counts the instructions that it has executed.

The kernel's package is unpacked outside the tree, in $XDG_CACHE_HOME/coracle; the programs are this machine's own.
"""
import glob
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
DEPLOY = f"{HERE}/../../../deploy"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "coracle")

PROGRAMS = ("cat dash grep haproxy ip ipvsadm kmod modprobe mount nft nginx sh sleep sysctl xargs "
            "xtables-legacy-multi iptables-legacy-restore ip6tables-legacy-restore").split()
PLUGINS = ("/usr/lib/x86_64-linux-gnu/xtables/*.so", "/usr/lib/nginx/modules/ngx_stream_module.so")
MODULES = ("net/802", "net/bridge", "net/ipv4", "net/ipv6", "net/llc", "net/netfilter", "lib/libcrc32c.ko",
           "drivers/net/veth.ko", "drivers/virtio", "drivers/char/virtio_console.ko")
PACKAGES = ("qemu-system-x86", "iptables", "nftables", "ipvsadm", "nginx-light", "haproxy")

QEMU = ("qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -m 1G -smp 1 -cpu qemu64 -M pc,hpet=off "
        "-rtc clock=vm -accel tcg,thread=single -icount shift=0,sleep=off,align=off").split()
BOOT_LIMIT_S = 3600  # two minutes on a machine that has nothing else to do
# One instruction is a nanosecond. Nothing is left to chance but what the seed decides.
WORDS = "console=ttyS0 quiet panic=-1 nokaslr norandmaps mitigations=off tsc=reliable clocksource=tsc"


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def kernel():
    """The unpacked package of the kernel, and its version. The mirror has only the newest."""
    if os.geteuid() == 0:
        output("apt-get", "-qq", "update")
    depends = output("apt-cache", "depends", "linux-image-cloud-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
    version = re.search(r"Candidate: (\S+)", output("apt-cache", "policy", package)).group(1)
    unpacked = f"{CACHE}/{package}_{version}"
    if not os.path.exists(unpacked):
        work = f"{unpacked}.new"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        output("apt-get", "-qq", "download", f"{package}={version}", cwd=work)
        archive, = glob.glob(f"{work}/*.deb")
        output("dpkg-deb", "-x", archive, work)
        os.remove(archive)
        os.rename(work, unpacked)
    return unpacked, version


def copy(path, root):
    """A file to the same place below root; a link as what it leads to."""
    target = f"{root}/{path}"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        shutil.copy2(path, target)


def libraries(paths):
    """What the dynamic linker would load for them."""
    return set(re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", *paths], check=False, capture_output=True,
                                                         text=True).stdout))


def add_modules(package, root):
    release = os.path.basename(glob.glob(f"{package}/lib/modules/*")[0])
    for part in MODULES:
        source, target = (f"{top}/lib/modules/{release}/kernel/{part}" for top in (package, f"{root}/usr"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    for name in ("modules.builtin", "modules.order"):
        shutil.copy(f"{package}/lib/modules/{release}/{name}", f"{root}/usr/lib/modules/{release}/")
    output("/usr/sbin/depmod", "-b", f"{root}/usr", release)


def build_root(root, package, programs, more):
    """A root directory: the kernel's modules, Debian's programs, ours, and the product's own set-up of a pod."""
    for name in ("dev", "proc", "sys", "run", "tmp", "etc", "var/lib/nginx", "var/log/nginx", "usr/sbin", "usr/bin", "usr/lib",
                 "usr/lib64", "usr/libexec"):
        os.makedirs(f"{root}/{name}")
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", f"{root}/{name}")
    os.symlink("/run", f"{root}/var/run")
    for name in ("passwd", "group", "protocols", "services", "nsswitch.conf"):
        copy(f"/etc/{name}", root)
    paths = [shutil.which(name, path="/usr/sbin:/usr/bin") for name in (*PROGRAMS, *more)]
    paths += sum((glob.glob(pattern) for pattern in PLUGINS), [])
    for path in [*paths, *libraries(paths)]:
        copy(path, root)
    for name in ("netns-setup", "tunnel-setup"):
        shutil.copy(f"{DEPLOY}/{name}", f"{root}/usr/libexec/")
    for name in ("load", "serve"):
        shutil.copy(f"{programs}/{name}", f"{root}/usr/bin/")
    shutil.copy(f"{programs}/start", f"{root}/init")
    shutil.copy(f"{HERE}/guest", f"{root}/guest")
    add_modules(package, root)


def pack(directory, archive):
    """As the kernel reads it: archives that follow each other are unpacked over each other."""
    with open(archive, "wb") as file:
        names = output("find", ".", cwd=directory)
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=names.encode(), stdout=file, cwd=directory, check=True)


class Rig:
    """`more`: programs of Debian's that the guest needs beside the usual ones."""

    def __init__(self, work, programs, more=()):
        self.work, self.programs = work, programs
        package, self.version = kernel()
        self.kernel, = glob.glob(f"{package}/boot/vmlinuz-*")
        build_root(f"{work}/root", package, programs, more)
        pack(f"{work}/root", f"{work}/root.cpio")

    def boot(self, plan, seed, *options):
        """Boots with the files of the directory `plan`; returns what the machine says."""
        pack(plan, f"{self.work}/plan.cpio")
        with open(f"{self.work}/initrd", "wb") as initrd:
            for part in ("root.cpio", "plan.cpio"):
                with open(f"{self.work}/{part}", "rb") as file:
                    shutil.copyfileobj(file, initrd)
        said = output(*QEMU, "-kernel", self.kernel, "-initrd", f"{self.work}/initrd", "-serial", "stdio",
                      "-append", f"{WORDS} datapath_seed={seed}", *options, timeout=BOOT_LIMIT_S)
        if "\nend 0" not in said.replace("\r", ""):
            raise RuntimeError(f"the guest has failed:\n{said}")
        return said.replace("\r", "")
