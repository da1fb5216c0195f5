# SPDX-License-Identifier: Apache-2.0
# timeout: 180
# Python's own tests of what it asks the system for (package libpython3-testsuite): each test
# ends as it does natively. Left out is what forks, and what needs a privilege of the kernel's.
/usr/bin/python3 -c 'import test.test_socket' 2>/dev/null || { echo "no test suite of python3" >&2; exit 77; }
cat > outcomes.py <<'END'
import importlib, sys, unittest
left_out = ("fork", "Fork", "subprocess", "spawn", "Spawn", "popen", "Popen", "sethostname", "VSOCK", "SendRecvFds",
            "pidfd", "fd_setsize", "64_bit", "scheduler", "LargeMmap")
class Result(unittest.TestResult):
    def stopTest(self, test): super().stopTest(test); seen[test.id()] = seen.get(test.id(), "ok")
    def addSkip(self, test, reason): seen[test.id()] = "skipped"
    def addFailure(self, test, error): seen[test.id()] = "failed"; sys.stderr.write(f"{test.id()} {error[1]}\n")
    addError = addFailure
    def addSubTest(self, test, sub, error): error and self.addFailure(test, error)
def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite): yield from each(test)
        elif not any(word in test.id() for word in left_out): yield test
import subprocess, os
out, sys.stdout = sys.stdout, open(os.devnull, "w")
def none(*a, **k): raise unittest.SkipTest("no processes")
subprocess.Popen.__init__ = none
for name in ("fork", "system", "posix_spawn", "popen"): setattr(os, name, none)
for name in sys.argv[1:]:
    seen = {}
    unittest.TestSuite(each(unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("test." + name)))).run(Result())
    for test in sorted(seen): print(test, seen[test], file=out)
END
for name in test_select test_epoll test_poll test_mmap test_file test_fileio test_thread test_tempfile test_shutil \
	test_pathlib test_posix test_fcntl test_signal test_socketserver test_asyncio.test_sock_lowlevel; do
	$R /usr/bin/python3 outcomes.py $name
done
