"""coracle-announcer's command line: exit codes, messages, the environment twins, and how it ends."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

ANNOUNCER = sys.argv[2]
HOP = ["--next-hop", "10.0.0.106"]
SOCKET = ["--socket", "/nowhere/announce.sock"]


def run(*flags, env=None, stdin=""):
    return subprocess.run([ANNOUNCER, *flags], input=stdin, capture_output=True, text=True, timeout=20, check=False,
                          env={**os.environ, **(env or {})})


def check(what, good):
    print(f"  {'ok' if good else 'FAILED'}: {what}")
    check.failed += not good


check.failed = 0


def usage():
    for flag in ("--help", "--version"):
        result = run(flag)
        check(f"{flag} is 0 and goes to stdout", result.returncode == 0 and "coracle-announcer" in result.stdout)
    for flags, word in (([], "--next-hop"), (["--next-hop", "here"], "here"), ([*HOP, "--nothing"], "--nothing"),
                        ([*HOP, *HOP], "family"), ([*HOP, "stray"], "stray"), ([*HOP, "--node-netns", "x"], "pod-address"),
                        ([*HOP, "--log-level", "loud"], "loud"), (["--next-hop"], "--next-hop"),
                        ([*HOP, "--neighbor", ",".join(["10.0.0.1"] * 17)], "16"), (["--linger", "a while"], "a while"),
                        (["--linger", "0"], "--linger"), (["--linger", "-1"], "--linger")):
        result = run(*flags)
        check(f"{' '.join(flags) or 'no flags'!r:.60} is 2 and says why",
              result.returncode == 2 and word in result.stderr and not result.stdout)


def environment():
    env = {"CORACLE_NEXT_HOP": "10.0.0.106, fd00::106", "CORACLE_SOCKET": "/elsewhere", "CORACLE_LOG_FORMAT": "json"}
    result = run(env=env)
    check("the environment stands in for flags", result.returncode == 0 and '"socket":"/elsewhere"' in result.stderr)
    result = run(*SOCKET, "--log-format", "logfmt", env=env)
    check("the flag wins", "socket=/nowhere/announce.sock" in result.stderr)
    check("a bad variable is named", "CORACLE_NEXT_HOP" in run(env={"CORACLE_NEXT_HOP": "10.0.0"}).stderr)


def ends():
    result = run(*HOP, *SOCKET)
    check("exabgp has gone: 0", result.returncode == 0 and "show adj-rib out" in result.stdout)
    result = run(*HOP, "--pod-address", "172.16.1.2", "--node-netns", "/nowhere/netns")
    check("nobody to wait for: 0", run(*SOCKET, "--linger", "20").returncode == 0)
    check("no such namespace: 1", result.returncode == 1 and "/nowhere/netns" in result.stderr)
    with subprocess.Popen([ANNOUNCER, *HOP, *SOCKET], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        check("SIGTERM: 0", process.wait(10) == 0)


def chosen_by_others():
    """Whoever has none of the rights that the program's file gives does not say what they are used for."""
    if os.geteuid() != 0 or not shutil.which("setcap"):
        print("  skipped: only root gives capabilities to a file")
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(ANNOUNCER, directory)
        subprocess.run(["setcap", "cap_net_admin+ep", program], check=True)
        arguments = [program, *HOP, *SOCKET, "--pod-address", "172.16.1.2", "--node-netns", "/nowhere/netns"]
        for more, code, word in (([], 1, "/nowhere/netns"), (["--pools", "/run/coracle/pools"], 1, "/nowhere/netns"),
                                 (["--pools", "/tmp/mine"], 2, "--pools")):
            result = subprocess.run([*arguments, *more], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20,
                                    check=False, user=65534, group=65534, extra_groups=[])
            check(f"with capabilities of its file, {' '.join(more) or 'the default'}: {code}",
                  result.returncode == code and word in result.stderr)


usage()
environment()
ends()
chosen_by_others()
sys.exit(check.failed > 0)
