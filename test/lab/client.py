"""Talks to a running lab: client.py DIR ready | run SCENARIO… | demo | shell MACHINE [COMMAND…] | stop."""
import json
import os
import select
import signal
import socket
import sys
import termios
import time
import tty


def connect(directory):
    line = socket.socket(socket.AF_UNIX)
    line.connect(f"{directory}/socket")
    return line


def send(line, **message):
    line.sendall(json.dumps(message).encode() + b"\n")


def messages(line, also=None):
    """Yields the guest's messages, and None whenever the descriptor `also` can be read."""
    pending = b""
    while True:
        readable, _, _ = select.select([line] if also is None else [line, also], [], [])
        if also in readable:
            yield None
        if line in readable:
            data = line.recv(65536)
            if not data:
                sys.exit("lab: the guest has ended, see console.log")
            *lines, pending = (pending + data).split(b"\n")
            yield from map(json.loads, lines)


def put(text):
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def follow(line):
    """Prints what a session says and returns its exit status."""
    for message in messages(line):
        put(message.get("out", ""))
        if "exit" in message:
            return message["exit"]


def interact(line, machine):
    """A shell on a terminal of the guest; ours only passes keys and characters on."""
    size = os.get_terminal_size()
    send(line, exec=["bash", "--norc", "-i"], machine=machine, tty=[size.lines, size.columns])
    signal.signal(signal.SIGWINCH, lambda *_: send(line, size=list(os.get_terminal_size())[::-1]))
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        for message in messages(line, also=0):
            if message is None:
                send(line, **{"in": os.read(0, 512).decode("utf-8", "surrogateescape")})
            elif "exit" in message:
                return message["exit"]
            else:
                put(message["out"])
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def ready(directory):
    """Waits until every machine of the lab runs."""
    while True:
        try:
            with open(f"{directory}/boot.log", encoding="utf-8") as log:
                last = log.read()
        except FileNotFoundError:
            last = ""
        if "boot ended with status" in last:
            put(last if not last.endswith("status 0\n") else "")
            return 0 if last.endswith("status 0\n") else 1
        if not os.path.exists(f"{directory}/socket"):
            sys.exit("lab: the guest has ended, see console.log")
        time.sleep(0.1)


def main():
    directory, verb, *words = sys.argv[1:]
    if verb == "ready":
        return ready(directory)
    line = connect(directory)
    if verb == "run":
        send(line, run=words, long=bool(os.environ.get("CORACLE_TEST_LONG")), seed=os.environ.get("CORACLE_TEST_SEED"))
    elif verb == "demo":
        send(line, demo=sys.stdout.isatty())
    elif verb == "stop":
        send(line, stop=True)
        while line.recv(4096):
            pass
        return 0
    elif len(words) > 1:
        send(line, exec=words[1:], machine=words[0])
    elif sys.stdin.isatty():
        return interact(line, words[0])
    else:
        send(line, exec=["sh", "-c", sys.stdin.read()], machine=words[0])
    return follow(line)


try:
    sys.exit(main())
except BrokenPipeError:
    sys.exit(1)
except OSError as error:
    sys.exit(f"lab: not running ({error.strerror}); test/lab/start starts it")
except KeyboardInterrupt:
    sys.exit(130)
