"""Nodes: Debian with systemd as PID 1, each in a network namespace of its own on one bridge.

Whoever uses this lives in namespaces of its own (network, mounts, processes; see the step), so that nothing is left over
however it ends: the bridge, the nodes' cables, mounts and processes go with it.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

NETWORK = "10.77.0"
# Kept running across reboots: with --keep-unit, systemd-nspawn exits with 133 when the node asks for one.
BOOT = r"""
dir=$1 name=$2 lower=$3 netns=$4 group=$5
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$group"
echo $$ > "/sys/fs/cgroup/$group/cgroup.procs"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
status=133
while [ $status = 133 ]; do
  status=0
  systemd-nspawn --quiet --register=no --keep-unit --machine="$name" --directory="$dir/root" \
    --network-namespace-path="$netns" --console=pipe --kill-signal=SIGRTMIN+3 --boot &
  echo $! > "$dir/pid"
  wait $! || status=$?
done
"""


def run(*argv, **options):
    """Runs a program and returns what it printed; a failure shows what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=options.pop("timeout", 120), **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: exit {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
    return done.stdout


def wait_until(what, condition, seconds, every=0.05):
    """Waits for a condition and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(every)


def make_bridge():
    """The network, in this process's own namespace; this process is .1 in it."""
    os.makedirs("/run/netns", exist_ok=True)
    run("mount", "-t", "tmpfs", "none", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", "br0")
    run("ip", "link", "set", "br0", "up")


class Node:
    """One machine. `lower` are the directories that it is made of, the topmost first; none of them is written to."""

    def __init__(self, name, number, lower, directory):
        self.name, self.address, self.cable = name, f"{NETWORK}.{number}", f"cable{number}"
        self.directory, self.lower = Path(directory) / name, ":".join(map(str, lower))
        self.process = None
        for part in ("upper", "work", "root"):
            (self.directory / part).mkdir(parents=True)
        (self.directory / "upper/etc").mkdir()
        (self.directory / "upper/etc/hostname").write_text(name + "\n")
        run("ip", "netns", "add", name)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "host0", "netns", name)
        run("ip", "link", "set", self.cable, "master", "br0", "up")
        for command in (f"addr add {self.address}/24 dev host0", "link set host0 up", "link set lo up"):
            run("ip", "-n", name, *command.split())

    def up(self):
        """Boots it; returns when its systemd is done with that."""
        (self.directory / "pid").unlink(missing_ok=True)
        console = open(self.directory / "console.log", "ab")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", "-ec", BOOT, "node", self.directory, self.name,
             self.lower, f"/run/netns/{self.name}", f"nixfleet-tests/{os.getpid()}-{self.name}"],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        self.wait_for_boot()

    def wait_for_boot(self, other_than=None):
        """Waits until it has booted, as another incarnation than the process `other_than`."""

        def booted():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended: {(self.directory / 'console.log').read_text()[-2000:]}")
            leader = self.leader()
            if leader is None or leader == other_than:
                return False
            state = subprocess.run(["nsenter", "-t", str(leader), "-a", "systemctl", "is-system-running"],
                                   capture_output=True, text=True, check=False)
            return state.stdout.strip() in ("running", "degraded")

        try:
            wait_until(f"{self.name} has booted", booted, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}; {(self.directory / 'console.log').read_text()[-2000:]}") from None

    def leader(self):
        """Its PID 1 as this process sees it."""
        try:
            nspawn = int((self.directory / "pid").read_text())
            return int(Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def command(self, *argv):
        """The command line that runs a program inside."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return ["nsenter", "-t", str(self.leader()), "-a", "env", "-i", path, "LANG=C.UTF-8", "HOME=/root", *argv]

    def exec(self, *argv, **options):
        """Runs a program inside and returns what it printed."""
        return run(*self.command(*argv), **options)

    def try_exec(self, *argv):
        """Runs a program inside that may fail; returns its exit status and what it said."""
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def path(self, path):
        """A file of the running node, as this process reaches it."""
        return Path(f"/proc/{self.leader()}/root/{path.lstrip('/')}")

    def processes(self, begin):
        """How many processes have a command line that begins so."""
        lines = []
        for file in self.path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(file.read_bytes().replace(b"\0", b" "))
            except OSError:
                pass
        return sum(line.startswith(begin.encode()) for line in lines)

    def cut(self):
        """Pulls the cable."""
        run("ip", "link", "set", self.cable, "down")

    def heal(self):
        """Plugs it in again."""
        run("ip", "link", "set", self.cable, "up")

    def crash(self):
        """Cuts the power: no process inside is told anything."""
        os.kill(self.leader(), signal.SIGKILL)
        self.process.wait(timeout=30)

    def remove(self):
        """Ends it and forgets its files."""
        if self.process is not None and self.process.poll() is None:
            self.crash()
        shutil.rmtree(self.directory, ignore_errors=True)
