"""Scorers for tests of many flavors: `python -m tests.serving.forking_scorers SOCKET`.

Each connection is served by a fork of a process that has imported what nearly every model needs, which takes most of a
scorer's start. What is loaded, and how it answers, is the real thing.
"""

import logging
import os
import signal
import socket
import sys
import threading

from tenure.serving import limits, scorer


def end_with_parent() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    os.setpgid(0, 0)
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    scorer.warm_up()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        threading.Thread(target=end_with_parent, daemon=True).start()
        while True:
            line, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                limits.apply(int(sys.argv[2]))
                scorer.serve(line)
                os._exit(0)
            line.close()
