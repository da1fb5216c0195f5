# SPDX-License-Identifier: Apache-2.0
"""What Python programs do to an operating system, with the same output every time."""
import asyncio
import collections
import ctypes
import datetime
import hashlib
import json
import mmap
import os
import pathlib
import queue
import resource
import select
import selectors
import shutil
import signal
import socket
import sqlite3
import ssl
import stat
import struct
import tempfile
import threading
import time
import zlib


def threads():
    work, results = queue.Queue(), collections.Counter()
    lock = threading.Lock()

    def worker():
        while (n := work.get()) is not None:
            with lock:
                results["sum"] += n
                results["jobs"] += 1

    pool = [threading.Thread(target=worker) for _ in range(8)]
    for t in pool:
        t.start()
    for n in range(2000):
        work.put(n)
    for _ in pool:
        work.put(None)
    for t in pool:
        t.join()
    print("threads", dict(results), threading.active_count())
    event, barrier = threading.Event(), threading.Barrier(4)
    print("wait times out", event.wait(0.05))
    others = [threading.Thread(target=barrier.wait) for _ in range(3)]
    for t in others:
        t.start()
    barrier.wait(5)
    for t in others:
        t.join()
    timer = threading.Timer(0.05, event.set)
    timer.start()
    print("timer", event.wait(5))


def sockets():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def serve():
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data[::-1])

    t = threading.Thread(target=serve)
    t.start()
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"hello")
    print("tcp", client.recv(100))
    client.shutdown(socket.SHUT_WR)
    print("eof", client.recv(100))
    client.close()
    t.join()
    client = socket.socket()
    client.settimeout(0.1)
    client.connect(("127.0.0.1", port))
    try:
        client.recv(1)
    except TimeoutError:
        print("timeout")
    client.close()
    server.close()
    a, b = socket.socketpair()
    a.send(b"x" * 1000)
    print("pair", len(b.recv(4096)))
    with open("/etc/hostname") as f:
        socket.send_fds(a, [b"fd"], [f.fileno()])
        _, fds, _, _ = socket.recv_fds(b, 10, 4)
        print("passed", os.fstat(fds[0]).st_ino == os.fstat(f.fileno()).st_ino)
        os.close(fds[0])
    u1, u2 = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    u1.bind(("127.0.0.1", 0))
    u2.sendto(b"datagram", u1.getsockname())
    print("udp", u1.recvfrom(100)[0])
    print("names", socket.gethostbyname("localhost"), socket.getservbyname("http", "tcp"))
    six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    print("ipv6", six.getsockname()[0])
    for s in (a, b, u1, u2, six):
        s.close()


def selecting():
    selector = selectors.DefaultSelector()
    print(type(selector).__name__)
    a, b = socket.socketpair()
    r, w = os.pipe()
    selector.register(b, selectors.EVENT_READ, "socket")
    selector.register(r, selectors.EVENT_READ, "pipe")
    print("nothing", selector.select(0.01))
    os.write(w, b"1")
    print([k.data for k, _ in selector.select(1)])
    a.send(b"2")
    print(sorted(k.data for k, _ in selector.select(1)))
    os.read(r, 10)
    b.recv(10)
    print("nothing", selector.select(0))
    a.close()
    print([k.data for k, _ in selector.select(1)], b.recv(1))
    print(select.select([r], [w], [], 0.01)[1] == [w])
    p = select.poll()
    p.register(r, select.POLLIN)
    os.close(w)
    print("hangup", p.poll(100)[0][1] & select.POLLHUP != 0)


def databases():
    db = sqlite3.connect("test.db")
    db.execute("pragma journal_mode=wal")
    db.execute("create table t (a integer, b text)")
    with db:
        db.executemany("insert into t values (?, ?)", ((i, str(i)) for i in range(10000)))
    other = sqlite3.connect("test.db")
    print("sqlite", other.execute("select sum(a), count(*) from t").fetchone())
    other.close()
    db.close()
    print(sorted(os.listdir(".")))


def async_io():
    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def client(port, n):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        out = []
        for i in range(50):
            writer.write(f"line {n} {i}\n".encode())
            out.append((await reader.readline()).decode().strip())
        writer.close()
        await writer.wait_closed()
        return out[-1]

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        print("asyncio", sorted(await asyncio.gather(*(client(port, n) for n in range(10))))[:2])
        loop = asyncio.get_running_loop()
        print(await loop.run_in_executor(None, lambda: sum(range(1000))))
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.05)
        except asyncio.TimeoutError:
            print("wait_for timed out")
        done = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR2, done.set)
        os.kill(os.getpid(), signal.SIGUSR2)
        await asyncio.wait_for(done.wait(), 5)
        print("signal in the loop")
        server.close()

    asyncio.run(main())


def signals():
    got = []
    signal.signal(signal.SIGUSR1, lambda s, _: got.append(s))
    signal.raise_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    print("handlers", got)
    signal.signal(signal.SIGALRM, lambda *_: got.append("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.2)
    print(got)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    end = time.monotonic() + 5
    while got.count("alarm") < 2 and time.monotonic() < end:
        pass
    print("interrupted computing", got.count("alarm"))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    print("pending", signal.SIGUSR1 in signal.sigpending(), signal.sigwait([signal.SIGUSR1]).name)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    r, w = os.pipe()
    os.set_blocking(w, False)
    old = signal.set_wakeup_fd(w)
    signal.raise_signal(signal.SIGUSR1)
    print("wakeup", os.read(r, 1)[0] == signal.SIGUSR1)
    signal.set_wakeup_fd(old)


def maps():
    with open("mapped", "wb") as f:
        f.write(b"abc" * 5000)
    with open("mapped", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        print("mmap", len(m), m[3:6], m.find(b"cab"))
        m[0:3] = b"XYZ"
        m.flush()
    print(open("mapped", "rb").read(6))
    with mmap.mmap(-1, 1 << 20) as m:
        m[12345] = 7
        print("anonymous", m[12345], m[12346])
    data = bytearray(64 << 20)
    data[::4096] = b"x" * (len(data) // 4096)
    print("memory", zlib.crc32(data))


def files():
    base = pathlib.Path("out")
    (base / "a/b").mkdir(parents=True)
    (base / "a/f").write_text("text\n" * 1000)
    os.chmod(base / "a/f", 0o600)
    os.symlink("f", base / "a/link")
    os.rename(base / "a/f", base / "a/g")
    os.link(base / "a/g", base / "a/hard")
    shutil.copytree(base / "a", base / "copy", symlinks=True)
    print(sorted(p.name for p in base.rglob("*")))
    st = os.stat(base / "a/g")
    print(stat.filemode(st.st_mode), st.st_nlink, st.st_size)
    os.utime(base / "a/g", (1e9, 1.5e9))
    print(os.stat(base / "a/g").st_mtime)
    with tempfile.TemporaryFile() as f:
        f.write(b"x" * 100000)
        f.seek(10)
        print(len(f.read()), os.fstat(f.fileno()).st_nlink)
    with open(base / "big", "wb") as f:
        f.seek(1 << 30)
        f.write(b"end")
    print((base / "big").stat().st_size)
    (base / "big").unlink()
    for path in ("/proc/self/status", "/proc/self/maps", "/proc/cpuinfo", "/proc/meminfo", "/proc/self/stat"):
        print(path, os.path.exists(path), len(open(path).read()) > 40)
    print(os.readlink("/proc/self/exe").startswith("/usr/bin/python3"), os.getcwd() == os.readlink("/proc/self/cwd"))
    for call in (lambda: open("/nonexistent"), lambda: os.mkdir("out"), lambda: os.rmdir("out"),
                 lambda: os.listdir("mapped"), lambda: os.open("out", os.O_WRONLY), lambda: os.read(999, 1)):
        try:
            call()
        except OSError as e:
            print(e.strerror)


def rest():
    print(json.dumps({"pi": 3.5}), hashlib.sha256(b"x").hexdigest()[:16], struct.pack(">I", 7))
    print(datetime.datetime.fromtimestamp(0, datetime.timezone.utc).isoformat())
    print(len(os.urandom(100)), os.urandom(16) != os.urandom(16))
    print(ssl.OPENSSL_VERSION.split()[0], ctypes.CDLL(None).abs(-3))
    print(resource.getrlimit(resource.RLIMIT_STACK)[0] > 0, os.cpu_count() > 0, os.uname().sysname)
    before = time.monotonic()
    time.sleep(0.05)
    print(0.05 <= time.monotonic() - before < 2, abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 1)
    print(time.process_time() > 0)


for part in (threads, sockets, selecting, databases, async_io, signals, maps, files, rest):
    print("--", part.__name__)
    part()
    # Output order must not depend on when a buffer is flushed.
    os.sys.stdout.flush()
