# SPDX-License-Identifier: Apache-2.0
"""The six workloads of the evaluation, and what else is measured by environment.

A workload is a function of (bench, env, parameters) that runs once and yields samples: the point
(what was done), its value, and what goes with it: CPU seconds of the server's process tree,
operations, exits, latencies. The server under test, or the program, is on the last half of the
processors, in a network namespace; load and the other side natively on the first half, in
another namespace, over veth.
"""
import contextlib
import csv
import io
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import lib

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/lib"))
import netns  # noqa: E402

DEB13 = pathlib.Path(os.environ.get("RAKIS_DEB13", "/var/cache/rakis/debian13"))
PORT = 7000
REDIS = ["redis-server", "redis-benchmark"]
NEEDS = {"iperf3": ["iperf3"], "packet size": ["iperf3"], "memcached": ["memcached"], "threads": ["memcached"],
         "threads' memory": ["memcached"], "curl": ["caddy", "openssl"], "download size": ["caddy", "openssl"],
         "redis": REDIS, "connections": REDIS, "idle": REDIS, "mcrypt": ["mcrypt"]}
CADDYFILE = """{{
	admin off
	auto_https off
}}
https://test:{port} {{
	tls {dir}/cert {dir}/key
	root * {dir}/www
	file_server
}}
"""


INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupted(*_):
    """The end begins, once: impatience does not stop the cleaning up."""
    for sig in INTERRUPTS:
        signal.signal(sig, signal.SIG_IGN)
    sys.exit(130)


class Failed(Exception):
    """This run gave no figure; the others go on."""


class Bench:
    """What the runs share: the namespaces, a place for files, the choice of processors."""

    def __init__(self, args):
        cpus = sorted(os.sched_getaffinity(0))
        half = len(cpus) // 2
        self.args, self.build = args, pathlib.Path(args.rakis).resolve().parent
        self.load_cpus, self.server_cpus = (",".join(map(str, c)) for c in (cpus[:half] or cpus, cpus[half:]))
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="rakis-bench-", dir=self.args.dir)
        self.dir = self.scratch.name
        os.chmod(self.dir, 0o755)
        self.pair = netns.Pair()
        for sig in INTERRUPTS:
            signal.signal(sig, interrupted)
        # 10,000 connections again and again do not wait for their ports.
        for ns in (self.pair.server, self.pair.client):
            netns.ip("netns", "exec", ns, "sysctl", "-qw", "net.ipv4.ip_local_port_range=10000 65000",
                     "net.ipv4.tcp_max_tw_buckets=0", "net.core.somaxconn=4096")
        return self

    def __exit__(self, *_):
        self.pair.close()
        self.scratch.cleanup()

    def words(self, env, net=False, root=None, memory=None):
        """What stands before a command line."""
        if env == "native":
            return ["chroot", root] if root else []
        words = lib.prefix(self.args, env, f"{self.dir}/stats.json")[:-1]
        words += ["--net", netns.DEVICE] if net and env.startswith("rakis") else []
        words += ["--root", root] if root else []
        words += ["--memory", memory] if memory else []
        return [*words, "--"]

    def start(self, env, *command, **options):
        with open(f"{self.dir}/stderr", "w", encoding="utf-8") as err:
            return self.pair.start(self.pair.server, "taskset", "-c", self.server_cpus, *self.words(env, **options),
                                   *command, stdout=subprocess.DEVNULL, stderr=err, cwd="/")

    def load(self, *command, timeout=120):
        """Run it on the client's side; its standard output."""
        done = self.pair.run(self.pair.client, "taskset", "-c", self.load_cpus, *command, timeout=timeout)
        if done.returncode:
            raise Failed(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    def run(self, env, *command, **options):
        """A program to its end: (its standard output, sample of seconds, CPU, exits)."""
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = self.pair.run(self.pair.server, "taskset", "-c", self.server_cpus, *self.words(env, **options),
                             *command, timeout=600, cwd="/")
        took, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise Failed(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        sample = {"value": took, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}
        if env != "native":
            stats = json.loads(pathlib.Path(f"{self.dir}/stats.json").read_text(encoding="utf-8"))
            sample["exits"], sample["calls"] = stats["host"]["exits"], stats["enclave"]["syscalls"]
        return done.stdout, sample

    def stop(self, server):
        self.pair.stop(server)

    def said(self):
        return pathlib.Path(f"{self.dir}/stderr").read_text(encoding="utf-8", errors="replace").strip()[-300:]

    def await_tcp(self, server, port=PORT):
        """Until it listens. Without a connection, of which some servers would tell."""
        listens = f" {int.from_bytes(map(int, netns.SERVER[0].split('.')), 'little'):08X}:{port:04X} 00000000:0000 0A "
        for _ in range(500):
            if server.poll() is not None:
                break
            if listens in pathlib.Path(f"/proc/{server.pid}/net/tcp").read_text(encoding="utf-8"):
                return
            time.sleep(0.01)
        raise Failed(f"the server did not start: {self.said()}")

    def meter(self, env, server):
        return Meter(self, env, server.pid)


class Meter:
    """CPU seconds and exits of a server from here on. All processes of the server's namespace
    count: RAKIS's monitor and the helper that owns the XDP program are among them."""

    def __init__(self, bench, env, pid):
        self.bench, self.env, self.pid = bench, env, pid
        self.cpu, self.exits = self.read()

    def read(self):
        pids = netns.ip("netns", "pids", self.bench.pair.server).stdout.split()
        exits = 0
        if self.env != "native":
            out = subprocess.run([self.bench.args.rakis, "stats", "--json", str(self.pid)], capture_output=True,
                                 text=True, check=True).stdout
            exits = json.loads(out)["host"]["exits"]
        return sum(map(lib.cpu_seconds, pids)), exits

    def sample(self, ops, **more):
        cpu, exits = self.read()
        return {"cpu": cpu - self.cpu, "ops": ops, **more,
                **({"exits": exits - self.exits} if self.env != "native" else {})}


# ---- the six ----

def iperf3(bench, env, size=1460):
    """Datagrams that a server receives from a client that sends as many as it can."""
    server = bench.start(env, "iperf3", "-s", "-p", PORT, "-B", netns.SERVER[0], net=True)
    try:
        bench.await_tcp(server)
        time.sleep(0.2)
        meter = bench.meter(env, server)
        seconds = max(1, round(bench.args.seconds))
        out = bench.load("iperf3", "-u", "-c", netns.SERVER[0], "-p", PORT, "-l", size, "-b", 0, "-t", seconds, "-J")
        end = json.loads(out)["end"].get("sum")
        if not end:
            raise Failed(json.loads(out).get("error"))
        got = end["packets"] - end["lost_packets"]
        yield {"point": f"{size} B", "value": got / end["seconds"] / 1000, "loss": end["lost_percent"],
               **meter.sample(got)}
    finally:
        bench.stop(server)


def memcached(bench, env, threads=1):
    server = bench.start(env, "memcached", "-u", "root", "-U", PORT, "-p", PORT, "-t", threads, "-l",
                         netns.SERVER[0], net=True)
    try:
        bench.await_tcp(server)
        bench.load(bench.build / "bench/bench-memload", netns.SERVER[0], PORT, 0.1)
        meter = bench.meter(env, server)
        out = bench.load(bench.build / "bench/bench-memload", netns.SERVER[0], PORT, bench.args.seconds)
        rate, p50, p99, lost = map(float, out.split())
        yield {"point": f"{threads} thread{'s' * (threads > 1)}", "value": rate, "p50": p50 / 1000, "p99": p99 / 1000,
               **meter.sample(rate * bench.args.seconds), "loss": 100 * lost / (rate * bench.args.seconds + lost)}
    finally:
        bench.stop(server)


def curl(bench, env, mb=None):
    """HTTP/3 from a native server; Debian 13's curl, for Debian 12's has no HTTP/3. A first one, which
    does not count, waits for the server."""
    mb, www = mb or bench.args.mb, pathlib.Path(bench.dir, "www")
    if not www.exists():
        www.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{bench.dir}/key", "-out",
                        f"{bench.dir}/cert", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=DNS:test"],
                       check=True, capture_output=True)
        pathlib.Path(bench.dir, "Caddyfile").write_text(CADDYFILE.format(port=PORT, dir=bench.dir), encoding="utf-8")
    file = make_file(www / f"{mb}", mb)
    server = bench.pair.start(bench.pair.client, "taskset", "-c", bench.load_cpus, "caddy", "run", "--config",
                              f"{bench.dir}/Caddyfile", "--adapter", "caddyfile", stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={**os.environ, "HOME": bench.dir})
    try:
        command = ("/usr/bin/curl", "-sSk", "--http3-only", "--resolve", f"test:{PORT}:{netns.CLIENT[0]}", "-o", "/dev/null", f"https://test:{PORT}/")
        for _ in range(20):
            with contextlib.suppress(Failed):
                bench.run("native", *command[:-1], command[-1] + "missing", root=str(DEB13))
                break
            time.sleep(0.1)
        _, sample = bench.run(env, *command[:-1], command[-1] + file.name, net=True, root=str(DEB13))
        yield {"point": f"{mb} MB", **sample, "ops": sample.get("calls")}
    finally:
        bench.stop(server)


def fstime(bench, env, block=4096, tests=("write", "read", "copy")):
    out, sample = bench.run(env, bench.build / "bench/bench-fstime", bench.dir, block, bench.args.seconds / 4)
    share = sample.get("exits", 0) / max(sample.get("calls", 1), 1)
    for line in out.splitlines():
        test, rate = line.split()
        if test not in tests:
            continue
        yield {"point": f"{test} {block_name(block)}", "value": float(rate),
               **({"exits": share, "ops": 1} if env != "native" else {})}


def redis(bench, env, clients=50, tests=("PING", "SET", "GET"), pipeline=1):
    server = bench.start(env, "redis-server", "--port", PORT, "--save", "", "--bind", netns.SERVER[0], "--dir", bench.dir,
                         "--daemonize", "no", "--tcp-backlog", 4096, "--maxclients", clients + 100, "--protected-mode", "no")
    requests = max(int(30000 * bench.args.seconds), 5 * clients)
    try:
        bench.await_tcp(server)
        for test in tests:
            meter = bench.meter(env, server)
            out = bench.load("redis-benchmark", "-h", netns.SERVER[0], "-p", PORT, "-n", requests, "-c", clients,
                             "-P", pipeline, "-t", "ping_mbulk" if test == "PING" else test.lower(), "--csv")
            row = next(csv.DictReader(io.StringIO(out[out.index('"test"'):])))
            yield {"point": f"{test}, {clients:,} client{'s' * (clients > 1)}", "value": float(row["rps"]),
                   "p50": float(row["p50_latency_ms"]), "p99": float(row["p99_latency_ms"]), **meter.sample(requests)}
    finally:
        bench.stop(server)


def mcrypt(bench, env):
    plain = make_file(pathlib.Path(bench.dir, "plain"), bench.args.mb)
    cipher = pathlib.Path(f"{plain}.nc")
    cipher.unlink(missing_ok=True)
    _, sample = bench.run(env, "mcrypt", "-q", "-k", "secret", "-a", "rijndael-128", "-m", "cbc", "--noiv", plain)
    cipher.unlink()
    yield {"point": f"{bench.args.mb} MB", **sample, "ops": sample.get("calls")}


# ---- costs ----

def start_up(bench, env, memory=None):
    """`true`, which does nothing, from the start of the command to its end."""
    _, sample = bench.run(env, "/bin/true", memory=memory)
    yield {"point": memory or "default size", "value": 1000 * sample["value"]}


def calls(bench, env):
    out, _ = bench.run(env, bench.build / "bench/bench-micro")
    for line in out.splitlines():
        name, value = line.split()
        yield {"point": name, "value": float(value)}


def idle(bench, env):
    """redis-server when nobody asks: memory, processor time, and what 1,000 connections add."""
    server = bench.start(env, "redis-server", "--port", PORT, "--save", "", "--bind", netns.SERVER[0], "--dir", bench.dir,
                         "--daemonize", "no", "--protected-mode", "no")
    clients = None
    try:
        bench.await_tcp(server)
        time.sleep(0.5)
        memory, meter = lib.resident_mb(server.pid), bench.meter(env, server)
        time.sleep(2)
        yield {"point": "idle CPU, % of a processor", "value": 100 * meter.sample(0)["cpu"] / 2}
        yield {"point": "resident, MB", "value": memory}
        clients = bench.pair.start(bench.pair.client, "redis-benchmark", "-h", netns.SERVER[0], "-p", PORT, "-c", 1000,
                                   "-I", stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        yield {"point": "a connection, KB", "value": 1024 * (lib.resident_mb(server.pid) - memory) / 1000}
    finally:
        if clients:
            bench.stop(clients)
        bench.stop(server)


def thread_memory(bench, env):
    resident = []
    for threads in (1, 17):
        server = bench.start(env, "memcached", "-u", "root", "-p", PORT, "-t", threads, "-l", netns.SERVER[0],
                             memory="4G" if "sgx" in env else None)
        try:
            bench.await_tcp(server)
            time.sleep(0.3)
            resident.append(lib.resident_mb(server.pid))
        finally:
            bench.stop(server)
    yield {"point": "a thread, KB", "value": 1024 * (resident[1] - resident[0]) / 16}


# ---- help ----

def make_file(path, mb):
    """Random, and in the page cache."""
    if not path.exists():
        with open(path, "wb") as f, open("/dev/urandom", "rb") as random:
            for _ in range(mb):
                f.write(random.read(1 << 20))
    return path


def block_name(size):
    return f"{size} B" if size < 1024 else f"{size >> 10} KB" if size < 1 << 20 else f"{size >> 20} MB"


def why_not(name):
    """Why this machine cannot run a workload, or an empty string."""
    missing = [p for p in NEEDS.get(name, ()) if not shutil.which(p)]
    if missing:
        return f"not installed: {' '.join(missing)}"
    if name in ("curl", "download size"):
        made = subprocess.run([TOP / "tests/programs/make-root", DEB13], capture_output=True, text=True)
        if made.returncode:
            return f"no Debian 13 root at {DEB13}: {made.stderr.strip()[-200:]}"
    return ""
