"""The processes of `make bench`: started, asked, measured, and gone afterwards, whatever happens."""

import contextlib
import ctypes
import json
import os
import re
import secrets
import signal
import subprocess
import threading
import time

import blake3

import dataset

START_S_MAX = 120
ANSWER_S_MAX = 900
STOP_S_MAX = 10
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
CPUCLOCK_SCHED = 2


class BenchError(Exception):
    """What went wrong, for the reader of the table."""


class Process(contextlib.AbstractContextManager):
    """A child that is killed, with all its own children, at the end of the `with` block."""

    def __init__(self, name, command, log, env=None):
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as stderr:
            self.child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=env,
                text=True,
                # Its own session: Ctrl-C reaches the orchestrator alone, which then ends the others in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        """When it ends, so do its children; else one that inherited its output would keep `line` waiting."""
        self.child.wait()
        self.kill()

    def line(self, seconds_max):
        """The next line of its standard output."""
        watchdog = threading.Timer(seconds_max, self.kill)
        watchdog.start()
        try:
            line = self.child.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise BenchError(f"{self.name} ended, or said nothing for {seconds_max} s; see {self.log}{self.tail()}")
        return line

    def tail(self):
        """The end of what it wrote to standard error."""
        last = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        return "".join(f"\n    {line}" for line in last)

    def kill(self, number=signal.SIGKILL):
        """Sends a signal to it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, number)

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.child.stdin.close()
        self.kill(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(STOP_S_MAX)
        self.kill()
        self.child.wait()
        self.child.stdout.close()


def die_with_parent():
    """In the child, before it becomes the program: if even `kill -9` ends the orchestrator, this ends too."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Speaker(Process):
    """A process that answers JSON commands: the driver, or the reference."""

    def ask(self, cmd, **arguments):
        """The answer to a command."""
        try:
            self.child.stdin.write(json.dumps({"cmd": cmd, **arguments}) + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"{self.name} has ended; see {self.log}{self.tail()}") from None
        line = self.line(ANSWER_S_MAX)
        try:
            answer = json.loads(line)
        except ValueError:
            raise BenchError(f"{self.name} answered {cmd} with no JSON: {line[:200]!r}") from None
        if "error" in answer:
            raise BenchError(f"{self.name}, {cmd}: {answer['error']}")
        return answer


class Worker(Process):
    """One site."""

    def __init__(self, binary, folder, made, site, tokens, limits):
        config = folder / f"site-{site}.toml"
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(site_toml(made, site, tokens, limits))
        super().__init__(f"worker {site}", [binary, "worker", "--config", config], folder / f"worker-{site}.log")

    def address(self):
        """Where it listens; it says so when it is ready."""
        line = self.line(START_S_MAX)
        if found := re.search(r"on (\S+:\d+)$", line):
            return found.group(1)
        raise BenchError(f"{self.name} said {line!r} instead of its address")

    def cpu_s(self):
        """CPU time of all its threads, also of those that have ended: utime + stime of /proc/PID/stat, but to the
        nanosecond, where those count in hundredths of a second."""
        return time.clock_gettime(~self.child.pid << 3 | CPUCLOCK_SCHED)

    def resident_bytes(self, field="VmRSS"):
        """Its resident memory; with `VmHWM`, the most that it ever was."""
        with open(f"/proc/{self.child.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{field}:"))


@contextlib.contextmanager
def federation(arguments, folder, made, tenants, reuse, memory_bytes_max=8 << 30):
    """Fresh workers, and a driver that is connected to them as these tenants: (driver, workers)."""
    limits = {"memory_bytes_max": memory_bytes_max, "reuse": str(reuse).lower()}
    tokens = {tenant: secrets.token_hex(32) for tenant in tenants}
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(arguments.worker, folder, made, site, tokens, limits))
            for site in range(dataset.SITES)
        ]
        addresses = [worker.address() for worker in workers]
        command = [arguments.driver]
        for tenant, token in tokens.items():
            command += ["--tenant", f"{tenant}=" + ",".join(f"fondaco://{token}@{address}" for address in addresses)]
        yield stack.enter_context(Speaker("the driver", command, folder / "driver.log")), workers


def site_toml(made, site, tokens, limits):
    """The configuration of a site, extremes allowed."""
    sections = [
        'listen = "127.0.0.1:0"',
        f'audit_file = "audit-{site}.jsonl"',
        *(
            f'[[tenants]]\nname = "{tenant}"\ntoken_blake3 = "{blake3.blake3(token.encode()).hexdigest()}"'
            for tenant, token in tokens.items()
        ),
        *(
            f'[[datasets]]\nname = "{codec}"\npath = "{dataset.part(made, codec, site)}"\n'
            'privacy = "aggregate"\nextremes = true'
            for codec in dataset.CODECS
        ),
        f'[[datasets]]\nname = "{dataset.PUBLIC}"\npath = "{dataset.part(made, next(iter(dataset.CODECS)), site)}"\n'
        'privacy = "public"',
        *(
            f'[[datasets]]\nname = "{name}"\npath = "{dataset.part(made, name, site)}"\nprivacy = "public"'
            for name in dataset.CATEGORIES
        ),
        "\n".join(["[limits]", *(f"{name} = {value}" for name, value in limits.items())]),
    ]
    return "\n\n".join(sections) + "\n"
