"""What a kubelet with containerd makes of a container in a manifest: the configuration that an OCI runtime follows."""
import json
import re

SECCOMP = "/usr/share/containers/seccomp.json"  # RuntimeDefault of podman and CRI-O; containerd's is much the same

CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
 NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
 SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
 MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()  # by number
DEFAULT_CAPABILITIES = """AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID
 SETPCAP SETUID SYS_CHROOT""".split()

MASKED = """/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats
 /proc/sched_debug /sys/firmware /proc/scsi""".split()
READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()
MOUNTS = [("/proc", "proc", "nosuid noexec nodev"),
          ("/dev", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
          ("/dev/pts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
          ("/dev/shm", "tmpfs", "nosuid noexec nodev mode=1777 size=65536k"),
          ("/dev/mqueue", "mqueue", "nosuid noexec nodev"),
          ("/sys", "sysfs", "nosuid noexec nodev")]
PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


class Security:
    """securityContext of the pod and of one of its containers, whose words come first."""

    def __init__(self, pod, container):
        context = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
        self.privileged = context.get("privileged", False)
        self.read_only_root = context.get("readOnlyRootFilesystem", False)
        self.user, self.group = context.get("runAsUser", 0), context.get("runAsGroup", 0)
        self.groups = [context["fsGroup"]] if "fsGroup" in context else []
        self.capabilities = self._capabilities(context.get("capabilities", {}))
        self.no_new_privileges = not context.get("allowPrivilegeEscalation", True)
        self.seccomp = not self.privileged and context.get("seccompProfile", {}).get("type") == "RuntimeDefault"
        if context.get("runAsNonRoot") and self.user == 0:
            raise ValueError("runAsNonRoot, and the user is root")

    def _capabilities(self, change):
        if self.privileged:
            return list(CAPABILITIES)
        kept = [] if "ALL" in change.get("drop", []) else set(DEFAULT_CAPABILITIES) - set(change.get("drop", []))
        return sorted({*kept, *change.get("add", [])})


def seccomp(capabilities):
    """The profile as it is for a process with these capabilities."""
    with open(SECCOMP, encoding="utf-8") as file:
        profile = json.load(file)
    names = {f"CAP_{name}" for name in capabilities}

    def applies(rule):
        includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
        return (names.issuperset(includes.get("caps", [])) and not names.intersection(excludes.get("caps", []))
                and "amd64" in includes.get("arches", ["amd64"]) and "amd64" not in excludes.get("arches", []))
    kept = ("names", "action", "args", "errnoRet")
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [{key: rule[key] for key in kept if rule.get(key) is not None}
                         for rule in profile["syscalls"] if applies(rule)]}


def environment(image, container, fields):
    """The image's, then the manifest's; $(NAME) is what was said before."""
    values = dict(entry.split("=", 1) for entry in image.get("Env", []))
    for entry in container.get("env", []):
        source = entry.get("valueFrom")
        text = fields[source["fieldRef"]["fieldPath"]] if source else entry.get("value", "")
        values[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda match: values.get(match[1], match[0]), text)
    return values


def configuration(pod, container, image, rootfs, netns, volumes, fields, extra):
    """volumes: {name of a volume: its directory}; fields: what the downward API says; extra: further mounts of
    (directory, place) and variables."""
    security = Security(pod, container)
    capabilities = [f"CAP_{name}" for name in security.capabilities]
    env = {**environment(image, container, fields), **extra["env"]}
    mounts = [{"destination": place, "type": kind, "source": kind, "options": options.split()
               + (["ro"] if kind == "sysfs" and not security.privileged else [])} for place, kind, options in MOUNTS]
    for mount in container.get("volumeMounts", []):
        mounts.append(bind(volumes[mount["name"]], mount["mountPath"], mount.get("readOnly", False),
                           PROPAGATION[mount.get("mountPropagation", "None")]))
    mounts += [bind(directory, place, True, "rprivate") for directory, place in extra["mounts"]]
    config = {
        "ociVersion": "1.0.2", "hostname": fields["metadata.name"], "mounts": mounts,
        "root": {"path": rootfs, "readonly": security.read_only_root},
        "process": {
            "args": [*(container.get("command") or image.get("Entrypoint", [])),
                     *(container.get("args") or ([] if container.get("command") else image.get("Cmd", [])))],
            "env": [f"{name}={value}" for name, value in env.items()], "cwd": image.get("WorkingDir") or "/",
            "user": {"uid": security.user, "gid": security.group, "additionalGids": security.groups},
            "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
            "noNewPrivileges": security.no_new_privileges},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"},
                                 {"type": "network", "path": netns}]}}
    propagations = [mount.get("mountPropagation") for mount in container.get("volumeMounts", [])]
    for propagation in ("HostToContainer", "Bidirectional"):
        if propagation in propagations:
            config["linux"]["rootfsPropagation"] = PROPAGATION[propagation]
    if not security.privileged:
        config["linux"].update(maskedPaths=MASKED, readonlyPaths=READ_ONLY)
    if security.seccomp:
        config["linux"]["seccomp"] = seccomp(security.capabilities)
    return config


def bind(directory, place, read_only, propagation):
    return {"destination": place, "type": "bind", "source": directory,
            "options": ["rbind", propagation, "ro" if read_only else "rw"]}
