"""What tests of running programs share: a command's output, and waiting for something to become true."""
import subprocess
import time


class Failed(Exception):
    pass


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def wait_for(condition, what, timeout=10.0, every=0.01):
    """Seconds until condition() was true; fails after timeout."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout:
            raise Failed(f"not within {timeout} s: {what}")
        time.sleep(every)
    return time.monotonic() - start
