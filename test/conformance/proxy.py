"""Stands between a daemon and the API and passes bytes on, until it is told to cut."""

import socket
import threading


class Proxy:
    def __init__(self, port):
        self.port_behind = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.sockets = set()
        self.is_open = True
        self.accepted = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # stopped
            with self.lock:
                self.accepted += 1
                if not self.is_open:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.port_behind))
                except OSError:
                    near.close()
                    continue
                self.sockets |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        with self.lock:
            self.end({source, sink})

    def end(self, sockets):
        for s in sockets & self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was faster
            s.close()
        self.sockets -= sockets

    def cut(self):
        """Breaks every connection; new ones are welcome."""
        with self.lock:
            self.end(set(self.sockets))

    def close(self):
        """The network is gone."""
        with self.lock:
            self.is_open = False
            self.end(set(self.sockets))

    def open(self):
        with self.lock:
            self.is_open = True

    def stop(self):
        self.listener.close()
        self.close()
