"""A person at a machine's console: the terminal, byte for byte, over the console's Unix socket."""

from __future__ import annotations

import os
import selectors
import socket
import sys
import termios
import tty
from pathlib import Path

_LEAVE = b"\x1d"  # Ctrl-], as telnet has it


def attach(path: Path) -> None:
    """Copy between this terminal and the console until Ctrl-] or until the machine goes off."""
    with socket.socket(socket.AF_UNIX) as console, selectors.DefaultSelector() as selector:
        console.connect(str(path))
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard) if sys.stdin.isatty() else None
        print("connected; Ctrl-] leaves, Return shows a prompt", file=sys.stderr)
        try:
            if before is not None:
                tty.setraw(keyboard)
            selector.register(keyboard, selectors.EVENT_READ)
            selector.register(console, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is console:
                        output = console.recv(65536)
                        if not output:
                            return
                        os.write(sys.stdout.fileno(), output)
                    else:
                        typed = os.read(keyboard, 1024)
                        before_leave, left, _ = typed.partition(_LEAVE)
                        console.sendall(before_leave)
                        if left or not typed:
                            return
        finally:
            if before is not None:
                termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
