# SPDX-License-Identifier: Apache-2.0
"""Stop the monitor thread of a `rakis run` alone (SIGSTOP stops whole processes)."""
import ctypes
import os
import pathlib
import signal
import time


def freeze(pid):
    """Stop the monitor of process `pid`; returns its tracer, a child process, or 0."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "rakis-monitor":
            break
    else:
        return 0
    child = os.fork()
    if child:
        time.sleep(0.1)
        return child
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    libc.ptrace(0x4206, int(task.name), 0, 0)		# PTRACE_SEIZE
    libc.ptrace(0x4207, int(task.name), 0, 0)		# PTRACE_INTERRUPT
    while True:
        signal.pause()


def thaw(tracer):
    """The thread goes on when its tracer ends."""
    os.kill(tracer, signal.SIGKILL)
    os.waitpid(tracer, 0)
