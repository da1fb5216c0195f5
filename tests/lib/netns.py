# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces and a veth pair between them, for one test.

The server's side has interface `veth0`, 10.77.0.1 and fd77::1; the client's side the same
name, 10.77.0.2 and fd77::2. Everything goes when the object is closed, or when the process ends
in an orderly way (SIGTERM and SIGINT included).
"""
import atexit
import os
import signal
import subprocess
import sys

DEVICE = "veth0"
SERVER, CLIENT = ("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2")


def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, capture_output=True, text=True)


def why_not():
    """Why namespaces cannot be made here, or an empty string."""
    if os.geteuid():
        return "only root can make network namespaces"
    try:
        result = ip("netns", "add", f"rakis-try-{os.getpid()}", check=False)
    except FileNotFoundError:
        return "not installed: ip"
    if result.returncode:
        return "no network namespaces: " + result.stderr.strip()
    ip("netns", "del", f"rakis-try-{os.getpid()}")
    return ""


class Pair:
    made = 0

    def __init__(self, queues=1, mtu=1500):
        Pair.made += 1
        self.server, self.client = (f"rakis-{os.getpid()}-{Pair.made}{side}" for side in "sc")
        self.processes = []
        atexit.register(self.close)
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: sys.exit(1))
        for ns in (self.server, self.client):
            ip("netns", "add", ns)
        ip("link", "add", DEVICE, "netns", self.server, "numrxqueues", str(queues), "numtxqueues",
           str(queues), "mtu", str(mtu), "type", "veth", "peer", "name", DEVICE, "netns", self.client,
           "numrxqueues", str(queues), "numtxqueues", str(queues), "mtu", str(mtu))
        for ns, (v4, v6) in ((self.server, SERVER), (self.client, CLIENT)):
            # Tests make errors faster than a host would tell of them.
            ip("netns", "exec", ns, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_burst=10000",
               "net.ipv4.icmp_msgs_per_sec=10000", "net.ipv6.icmp.ratelimit=0", check=False)
            ip("-n", ns, "link", "set", "lo", "up")
            ip("-n", ns, "addr", "add", v4 + "/24", "dev", DEVICE)
            ip("-n", ns, "addr", "add", v6 + "/64", "dev", DEVICE, "nodad")
            ip("-n", ns, "link", "set", DEVICE, "up")

    def command(self, ns, *args):
        return ["ip", "netns", "exec", ns, *map(str, args)]

    def run(self, ns, *args, timeout=60, **kwargs):
        return subprocess.run(self.command(ns, *args), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, **kwargs)

    def start(self, ns, *args, **kwargs):
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(self.command(ns, *args), stdin=subprocess.DEVNULL, text=True, **kwargs)
        self.processes.append(process)
        return process

    def stop(self, process, sig=signal.SIGTERM, timeout=10):
        """End it; (status, standard output, standard error)."""
        if process.poll() is None:
            process.send_signal(sig)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\n(did not end in {timeout} s)"
        self.processes.remove(process)
        return process.returncode, out or "", err or ""

    def close(self):
        for process in self.processes[:]:
            self.stop(process, signal.SIGKILL)
        for ns in (self.server, self.client):
            ip("netns", "del", ns, check=False)
        atexit.unregister(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
