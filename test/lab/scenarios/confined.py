"""What the containers of an LB pod cannot do, run from the images with the rights that deploy/base gives them: write
anywhere but in the volumes that are declared for it, and get any right that the manifest does not name.
"""
import os
import stat

import oci
from containers import IMAGES, Container, pod_spec

IMAGES_ONLY = True
TRY_TO_REPLACE = """import errno, os
for act in (lambda: os.unlink("/run/coracle/pools"), lambda: open("/run/coracle/pools", "a")):
    try:
        act()
        print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
LIMIT_S = 60


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def processes(pid):
    """All of a container, found by its first one."""
    namespace = os.readlink(f"/proc/{pid}/ns/pid")
    return [int(other) for other in os.listdir("/proc")
            if other.isdigit() and os.readlink(f"/proc/{other}/ns/pid") == namespace]


def capabilities(field):
    return {name for number, name in enumerate(oci.CAPABILITIES) if int(field, 16) >> number & 1}


def check_processes(pod, container, security):
    """{process: its capabilities} of what runs in the container."""
    found = {}
    for pid in processes(pod.pid(container["name"])):
        fields = status(pid)
        effective, name = capabilities(fields["CapEff"]), fields["Name"]
        found[name] = sorted(effective)
        for kind in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"):
            more = capabilities(fields[kind]) - set(security.capabilities)
            assert not more, f"{name} in {container['name']}: {kind} holds {more}"
        assert fields["Uid"].split() == [str(security.user)] * 4, f"{name} has the uids {fields['Uid']}"
        assert fields["Seccomp"] == "2", f"{name} runs without a seccomp filter"
        assert int(fields["NoNewPrivs"]) == security.no_new_privileges, f"{name}: NoNewPrivs {fields['NoNewPrivs']}"
    return found


def check_tries(pod, container):
    """The places that can be written are those that the manifest says; whatever else is tried fails."""
    writable = {mount["mountPath"]: not mount.get("readOnly", False) for mount in container["volumeMounts"]}
    root = {f"/{name}" for name in os.listdir(f"{IMAGES}/{container['image']}")} - {"/proc", "/sys", "/dev"}
    places = {**dict.fromkeys({"/", "/usr/bin", "/usr/sbin", "/var/lib", *root}, False), **writable}
    said = Container(pod, container["name"]).output("/lab/bin/tries", *sorted(places))
    results = dict(line.split() for line in said.splitlines())
    wrong = [f"{path}: {results[path]}" for path, expected in places.items() if (results[path] == "ok") != expected]
    assert not wrong, f"{container['name']} writes where it must not, or cannot where it must: {wrong}"
    rights = {name: result for name, result in results.items() if name not in places}
    assert len(rights) >= 15, f"tries did not come to its end: {said}"
    gained = [name for name, result in rights.items() if result == "ok"]
    assert not gained, f"{container['name']}: {gained} succeeded"
    return len(places), len(rights)


def check_orders(pod):
    """What root has written for the announcer, nobody else can replace: exabgp's user owns none of it."""
    path = f"{pod.run_dir}/coracle/pools"
    with open(path, encoding="ascii") as file:
        pools = file.read()
    assert pools.split() == ["10.1.1.0/24", "fd00:1:1::/112"], f"pools: {pools}"
    entry = os.stat(path)
    assert (entry.st_uid, stat.S_IMODE(entry.st_mode)) == (0, 0o644), f"pools: {entry}"
    said = Container(pod, "exabgp").output("/usr/bin/python3", "-c", TRY_TO_REPLACE)
    assert said.split() == ["EPERM", "EACCES"], f"exabgp's user, told to replace and to write /run/coracle/pools: {said}"


def check_image(image):
    """A file that gives rights to whoever runs it is in an image only if it is known here."""
    top = f"{IMAGES}/{image}"
    found = []
    for directory, _, files in os.walk(top):
        for name in files:
            path = f"{directory}/{name}"
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and (mode & (stat.S_ISUID | stat.S_ISGID) or "security.capability" in os.listxattr(path)):
                found.append(path.removeprefix(top))
    return found


def run(lab):
    pod = lab.lbs["lb1"]
    spec = pod_spec()
    figures = []
    for container in spec["containers"]:
        security = oci.Security(spec, container)
        assert not security.privileged and security.read_only_root and security.seccomp
        held = check_processes(pod, container, security)
        places, rights = check_tries(pod, container)
        figures.append(f"{container['name']}: {held}, {places} places and {rights} rights tried")
        if container["name"] == "exabgp":
            assert held.pop("coracle-announc") == ["NET_ADMIN"], "the announcer keeps other capabilities than it needs"
            assert not any(held.values()), f"exabgp has capabilities: {held}"
            check_orders(pod)
    privileged = {image: check_image(image) for image in sorted(os.listdir(IMAGES))}
    assert privileged == {"coracle-exabgp": ["/usr/sbin/coracle-announcer"], "coracle-ipvs": [], "coracle-reflector": []}, privileged
    assert lab.is_settled(), f"the pod has suffered: {lab.describe()}"
    return "; ".join(figures)
