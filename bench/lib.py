# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: environments, servers, rounds, tables.

An environment is what runs the program under test: a name of the vocabulary (native,
libos-direct, rakis-direct, libos-sgx, rakis-sgx) and the words to put before its command line.
"""
import argparse
import contextlib
import csv
import json
import os
import pathlib
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# On the hardware if this machine has it; otherwise emulated, and the title says so.
HARDWARE = os.access("/dev/sgx_enclave", os.R_OK | os.W_OK)
SGX = ["--sgx" if HARDWARE else "--sgx=emulate", "--allow-host"]
OPTIONS = {"libos-direct": ["--io", "exit"], "rakis-direct": ["--io", "ring"],
           "libos-sgx": [*SGX, "--io", "exit"], "rakis-sgx": [*SGX, "--io", "ring"]}
TICKS = os.sysconf("SC_CLK_TCK")


def arguments(description, **defaults):
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("rakis", help="path of the rakis command")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--env", action="append", choices=["native", *OPTIONS],
                        help="environments to compare, repeatable (default: native and rakis-direct)")
    parser.add_argument("--kick", default="auto", help="kick policy of rakis-*")
    parser.add_argument("--sgx-cost", type=int, default=8200, help="cycles that emulated SGX charges a round trip")
    parser.add_argument("--csv", help="also write every single figure to this file")
    parser.set_defaults(**defaults)
    return parser


def environments(args):
    return args.env or ["native", "rakis-direct"]


def prefix(args, env, stats=None):
    """The words before a command line; `stats`: where the counters go."""
    if env == "native":
        return []
    words = [args.rakis, "run", *OPTIONS[env], "--kick", args.kick]
    if "sgx" in env and not HARDWARE:
        words += ["--sgx-cost", str(args.sgx_cost)]
    return [*words, *([f"--stats={stats}"] if stats else []), "--"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    """Of a process with all its threads, so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Server:
    """A server under test, from a port that answers to SIGTERM, in a with block."""

    def __init__(self, args, env, command, port, cwd=None):
        self.env, self.port = env, port
        self.stats_file = tempfile.NamedTemporaryFile(prefix="rakis-bench-", suffix=".json")
        self.command = [*prefix(args, env, self.stats_file.name), *command]
        self.cwd = cwd
        self.stats = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, cwd=self.cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.end()
        sys.exit(f"{self.command[0]} did not start: {self.process.stderr.read().strip()[-500:]}")

    def __exit__(self, *_):
        self.end()
        text = pathlib.Path(self.stats_file.name).read_text()
        self.stats = json.loads(text) if text else None
        self.stats_file.close()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    def exits(self):
        """In all; None natively. After the with block."""
        return self.stats["host"]["exits"] if self.stats else None


class Figures:
    """What was measured: rows of a table, by environment and round."""

    def __init__(self, args):
        self.envs = environments(args)
        self.rounds = args.rounds
        self.path = args.csv
        self.emulated = ""
        if any("sgx" in env for env in self.envs) and not HARDWARE:
            self.emulated = (f"; SGX emulated at {args.sgx_cost} cycles a round trip, without the cost of encrypted "
                             "memory and its paging")
        self.values = {}

    def add(self, row, env, value):
        self.values.setdefault(row, {}).setdefault(env, []).append(float(value))

    def measure(self, function):
        """function(env) in each environment in turn, `rounds` times; it yields (row, value)."""
        for number in range(self.rounds):
            for env in self.envs:
                progress(f"round {number + 1} of {self.rounds}: {env}")
                for row, value in function(env):
                    self.add(row, env, value)
        progress("")

    def median(self, row, env):
        return statistics.median(self.values[row][env])

    def print(self, title, digits=0):
        print(f"{title}; medians of {self.rounds} rounds (lowest to highest){self.emulated}")
        print(f"{'':26}" + "".join(f"{env:>32}" for env in self.envs) + f"{'ratio':>8}")
        for row, cells in self.values.items():
            line = f"{row:26}"
            for env in self.envs:
                line += f"{spread(cells[env], digits) if env in cells else '-':>32}"
            first, last = cells.get(self.envs[0]), cells.get(self.envs[-1])
            if first and last and first is not last and statistics.median(first):
                line += f"{statistics.median(last) / statistics.median(first):8.2f}"
            print(line)
        print(flush=True)
        if self.path:
            self.write()

    def write(self):
        with open(self.path, "a", newline="") as f:
            out = csv.writer(f)
            for row, cells in self.values.items():
                for env, values in cells.items():
                    out.writerows([row, env, number, value] for number, value in enumerate(values))


def spread(values, digits):
    """Of small figures more digits are shown."""
    middle = statistics.median(values)
    if middle < 10:
        digits = max(digits, 4 if middle < 0.1 else 2)
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:60}\r" if not text else f"\r{text:60}", end="", file=sys.stderr, flush=True)


def machine():
    return f"Linux {platform.uname().release}, {len(os.sched_getaffinity(0))} processors"


def needs(*programs):
    """Say what is missing and end, with the status of a test that was skipped."""
    for program in programs:
        if subprocess.run(["sh", "-c", f"PATH=$PATH:/usr/sbin command -v {program}"],
                          stdout=subprocess.DEVNULL).returncode:
            print(f"{pathlib.Path(sys.argv[0]).name}: {program} is not installed (tools/setup bench)",
                  file=sys.stderr)
            sys.exit(77)
