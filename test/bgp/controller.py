"""Stands in for coracle on the announce socket: the message of each line on stdin is sent until the next one comes.

The last report is left in /run/coracle/report. End of stdin changes nothing: it runs until it is killed. On SIGUSR1 it
closes its connections, but for the listening one.
"""
import os
import selectors
import signal
import socket
import sys
import time

SOCKET = "/run/coracle/announce.sock"
HEARTBEAT_S = 0.5


def send(clients, message):
    for client in list(clients):
        try:
            client.sendall(message)
        except OSError:
            clients.discard(client)


def store_report(data):
    lines = data.splitlines()
    if lines:
        with open("/run/coracle/report.new", "wb") as file:
            file.write(lines[-1])
        os.rename("/run/coracle/report.new", "/run/coracle/report")


def main():
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    clients, message, due = set(), b"", time.monotonic() + HEARTBEAT_S

    def close_all(*_):
        for client in clients:
            client.shutdown(socket.SHUT_RDWR)  # it can be read then, and that ends it

    signal.signal(signal.SIGUSR1, close_all)
    while True:
        ready = selector.select(max(0, due - time.monotonic()))
        if time.monotonic() >= due:
            send(clients, message)
            due = time.monotonic() + HEARTBEAT_S
        for key, _ in ready:
            if key.fileobj is listener:
                client, _ = listener.accept()
                selector.register(client, selectors.EVENT_READ)
                clients.add(client)
                send({client}, message)
            elif key.fileobj is sys.stdin:
                line = sys.stdin.readline()
                if line:
                    message = line.encode()
                    send(clients, message)
                else:
                    selector.unregister(sys.stdin)
            else:
                try:
                    data = key.fileobj.recv(1 << 20)
                except ConnectionResetError:  # killed with messages unread
                    data = b""
                if data:
                    store_report(data)
                else:
                    selector.unregister(key.fileobj)
                    clients.discard(key.fileobj)


main()
