"""A mail server on loopback that keeps what it is given: enough SMTP for one client at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default


class Sink:
    """Takes mail on `port`. While `answers` is cleared it takes a mail and says nothing."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self.taken: list[Message] = []
        self.answers = threading.Event()
        self.answers.set()
        self.arrived = threading.Event()

    def run(self) -> None:
        while True:
            try:
                connection, _address = self.server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                connection.sendall(b"220 sink\r\n")
                for line in lines:
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        connection.sendall(b"354 go on\r\n")
                        self._take(lines)
                    connection.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 good\r\n")
            except OSError:
                return  # the other side is gone

    def _take(self, lines: Iterator[bytes]) -> None:
        body = []
        for line in lines:
            if line == b".\r\n":
                break
            body.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.taken.append(message_from_bytes(b"".join(body), policy=default))
        self.arrived.set()
        self.answers.wait(60)


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    sink = Sink()
    thread = threading.Thread(target=sink.run, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.answers.set()
        sink.server.shutdown(socket.SHUT_RDWR)
        sink.server.close()
        thread.join(10)
