"""Runs load.c on the client and understands what it prints."""
import subprocess

from machine import PATH, Machine


RESET = "Connection reset by peer"


class Load:
    """Requests from the client: a number of them at once (requests=), or a steady stream until stop()."""

    running = set()  # of processes: a scenario that fails leaves its stream behind

    @classmethod
    def end_all(cls):
        for process in cls.running:
            process.kill()
            process.wait()
        cls.running.clear()

    def __init__(self, address, requests=0, rate=0.0, concurrency=8, timeout_ms=10000, machine="client"):
        argv = ["load", "-n", str(requests), "-c", str(concurrency), "-r", str(rate), "-w", str(timeout_ms),
                address, "80"]
        self.process = subprocess.Popen(argv, preexec_fn=Machine(machine).enter, env={"PATH": PATH},
                                        stdout=subprocess.PIPE, text=True)
        self.running.add(self.process)
        self.failures = []  # (start, end, reason), on time.monotonic()
        self.slow = []      # (start, end) of requests that were answered, but only after a retransmission
        self.answers = {}   # first line of the body → count
        self.succeeded = self.failed = 0
        self.seconds = self.slowest = 0.0  # of the whole; of the slowest request that was answered

    def stop(self):
        self.process.terminate()
        return self.finish()

    def finish(self):
        output, _ = self.process.communicate(timeout=120)
        self.running.discard(self.process)
        if self.process.returncode != 0:
            raise RuntimeError(f"load ended with status {self.process.returncode}")
        for line in output.splitlines():
            kind, *words = line.split(maxsplit=3)
            if kind == "fail":
                self.failures.append((float(words[0]), float(words[1]), words[2]))
            elif kind == "slow":
                self.slow.append((float(words[0]), float(words[1])))
            elif kind == "body":
                self.answers[words[1]] = int(words[0])
            elif kind == "total":
                self.succeeded, self.failed = int(words[0]), int(words[1])
                self.seconds, self.slowest = map(float, words[2].split())
        return self

    def refused(self):
        """The failures that are not flows moved to another LB pod in their middle, which resets them."""
        return [failure for failure in self.failures if failure[2] != RESET]

    def outage(self, since):
        """Seconds from `since` until the last request began that failed; 0 when none did."""
        return max((start - since for start, _, _ in self.failures), default=0.0)
