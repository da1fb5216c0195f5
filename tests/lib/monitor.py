# SPDX-License-Identifier: Apache-2.0
"""The monitor of a `rakis run`: a child process that shares its memory."""
import pathlib
import time


def monitor_of(pid, seconds=2):
    """Its process id; 0 if there is none by then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                try:
                    if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "rakis-monitor":
                        return int(child)
                except FileNotFoundError:
                    pass
        time.sleep(0.01)
    return 0
