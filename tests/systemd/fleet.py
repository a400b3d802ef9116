"""A fleet of the tests: what nodes are made of, and the fleet as an operator sees it."""

import json
import os
import random
import shutil
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

from node import Node, run, wait_until

HERE = Path(__file__).resolve().parent
UNITS = HERE.parent.parent / "systemd"
NEXT_VERSION = "9.9.9-next"
# What takes time at boot and is needed by no node.
MASKED = ("systemd-networkd.service", "systemd-networkd.socket", "systemd-resolved.service", "systemd-timesyncd.service",
          "console-getty.service", "systemd-logind.service", "systemd-journal-catalog-update.service", "nix-daemon.socket",
          "nix-daemon.service", "systemd-udev-trigger.service", "systemd-udevd.service", "apt-daily.timer",
          "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer")
# The examples are what nodes use; only what a test needs differs.
EXAMPLES = UNITS / "examples"
AGENT_TOML = (EXAMPLES / "agent.toml").read_text().replace("wss://fleet.example.org", "ws://10.77.0.2:8000") + "interval = 1\n"
DASHBOARD_TOML = (EXAMPLES / "dashboard.toml").read_text()
HELPER_TOML = (EXAMPLES / "helper.toml").read_text() + """
[stop]
grace = 2

[commands.family]
description = "children that want to stay"
argv = ["/usr/local/lib/nixfleet-test/family"]
"""


def numbered_lines(count):
    """Lines with a number and a text that no other line has."""
    chance = random.Random(20)
    return [f"nr {n:06} {chance.getrandbits(128):032x}" for n in range(1, count + 1)]


LINES = numbered_lines(6000)


def write(path, text, mode=0o644):
    """Writes a file and its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def strip(program, target):
    """Copies a program without its symbols: nodes copy it often."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run("strip", "-o", target, program) if shutil.which("strip") else shutil.copy(program, target)
    target.chmod(0o755)


def install(layer, names, token):
    """Installs units as a packager would."""
    system = layer / "etc/systemd/system"
    for unit in MASKED:
        system.mkdir(parents=True, exist_ok=True)
        (system / unit).symlink_to("/dev/null")
    for unit in sorted(UNITS.glob("*.service")) + sorted(UNITS.glob("*.socket")):
        if not any(unit.name.startswith(name) for name in names):
            continue
        write(system / unit.name, unit.read_text())
        for line in unit.read_text().splitlines():
            if line.startswith("WantedBy="):
                wants = system / f"{line.removeprefix('WantedBy=')}.wants"
                wants.mkdir(exist_ok=True)
                (wants / unit.name).symlink_to(f"../{unit.name}")
    for kind in ("sysusers.d", "tmpfiles.d"):
        for file in (UNITS / kind).glob("*.conf"):
            if file.stem in names:
                write(layer / "usr/lib" / kind / file.name, file.read_text())
    write(layer / "etc/nixfleet/agent-token", token + "\n", 0o600)


def web_layer(layer, agent, next_agent, token):
    """What a host has beside Debian: the agent as installed, and a configuration to switch to."""
    install(layer, ["nixfleet-agent", "nixfleet-agent-helper"], token)
    strip(agent, layer / "usr/local/bin/nixfleet-agent")
    strip(next_agent, layer / "opt/next/nixfleet-agent")
    write(layer / "etc/nixfleet/agent.toml", AGENT_TOML)
    write(layer / "etc/nixfleet/helper.toml", HELPER_TOML)
    write(layer / "etc/NIXOS", "")
    old = Path("/nix/store/00000000000000000000000000000000-nixos-system-old-25.05.test")
    write(layer / str(old.relative_to("/")) / "nixos-version", "25.05.test\n")
    profiles = layer / "nix/var/nix/profiles"
    profiles.mkdir(parents=True)
    (profiles / "system").symlink_to("system-1-link")
    (profiles / "system-1-link").symlink_to(old)
    write(layer / "etc/nixfleet-test/scenario", "")
    here = layer / "usr/local/lib/nixfleet-test"
    for file in (HERE / "on_node").iterdir():
        write(here / file.name, file.read_text(), 0o755)
    shutil.move(here / "nixos-rebuild", layer / "usr/local/bin/nixos-rebuild")
    system = here / "nixfleet-test-system.service"
    shutil.move(system, layer / "etc/systemd/system" / system.name)
    wants = layer / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(parents=True)
    (wants / system.name).symlink_to(f"../{system.name}")
    write(here / "lines", "\n".join(LINES) + "\n")
    for unit in UNITS.glob("nixfleet-agent*.*"):
        write(here / "units" / unit.name, unit.read_text())


class Fleet:
    """One dashboard and its hosts, with an operator's token."""

    def __init__(self, work, root, programs):
        self.work, self.programs = Path(work), Path(programs["nixfleet"])
        token = f"token-{random.SystemRandom().getrandbits(64):x}"
        dash, web = self.work / "layer-dash", self.work / "layer-web"
        install(dash, ["nixfleet-dashboard"], token)
        strip(programs["nixfleet-dashboard"], dash / "usr/local/bin/nixfleet-dashboard")
        write(dash / "etc/nixfleet/dashboard.toml", DASHBOARD_TOML)
        web_layer(web, programs["nixfleet-agent"], programs["next"], token)
        self.web_lower = [web, root]
        self.nodes, self.numbers = {}, iter(range(11, 250))
        self.dash = Node("dash", 2, [dash, root], self.work)
        self.dash.up()
        self.nodes["dash"] = self.dash
        self.url = f"http://{self.dash.address}:8000"
        self.token = self.dash.exec("nixfleet-dashboard", "--config", "/etc/nixfleet/dashboard.toml", "token", "create",
                                    "tests", "--role", "admin").strip()
        self.token_file = self.work / "operator-token"
        write(self.token_file, self.token + "\n", 0o600)
        wait_until("the dashboard answers", lambda: self.answers("/health"), 20)

    def add(self, name):
        """Boots a host and waits until the dashboard knows it."""
        node = Node(name, next(self.numbers), self.web_lower, self.work)
        self.nodes[name] = node
        node.up()
        self.wait_for_status(name, "online", 20)
        return node

    def answers(self, path):
        """Whether the dashboard answers a request at all."""
        try:
            self.get(path)
            return True
        except OSError:
            return False

    def get(self, path, text=False):
        """What the dashboard answers."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return body if text else json.loads(body)

    def host(self, name):
        """A host as the dashboard sees it."""
        return next((host for host in self.get("/api/hosts")["hosts"] if host["hostname"] == name), None)

    def wait_for_status(self, name, status, seconds):
        """Waits until the dashboard says that of the host."""
        wait_until(f"{name} is {status}", lambda: (self.host(name) or {}).get("status") == status, seconds)

    def cli(self, *args):
        """The operator's command line, started."""
        environment = {"PATH": os.environ["PATH"], "NIXFLEET_URL": self.url, "NIXFLEET_TOKEN_FILE": str(self.token_file)}
        return subprocess.Popen([str(self.programs), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment)

    def end(self):
        """Ends all nodes."""
        for node in self.nodes.values():
            node.remove()


class Watched:
    """A command that is watched from the command line, together with what the dashboard says of its host meanwhile."""

    def __init__(self, fleet, host, *args):
        self.fleet, self.host, self.output, self.errors, self.arrivals = fleet, host, b"", b"", []
        self.statuses, self.over = [], threading.Event()
        self.process = fleet.cli(*args)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.read, self.read_errors, self.look)]
        for thread in self.threads:
            thread.start()
        wait_until(f"{host} runs", self.find_run, 15)

    def find_run(self):
        """The run's id, once there is one."""
        activity = (self.fleet.host(self.host) or {}).get("activity")
        self.run = activity["run"] if activity else None
        return self.run

    def read(self):
        """Takes what is printed, and when."""
        while piece := self.process.stdout.read1():
            self.output += piece
            self.arrivals.append((time.monotonic(), len(self.output)))

    def read_errors(self):
        """Takes what is printed beside it."""
        self.errors = self.process.stderr.read()

    def look(self):
        """Notes each change of the host's status."""
        while not self.over.is_set():
            try:
                status = (self.fleet.host(self.host) or {}).get("status")
                if not self.statuses or self.statuses[-1] != status:
                    self.statuses.append(status)
            except OSError:
                pass
            time.sleep(0.1)

    def seen(self):
        """How many numbered lines have been shown."""
        return self.output.count(b"\nnr ")

    def wait_for_line(self, number, seconds=40):
        """Waits until that numbered line is shown."""

        def shown():
            over = self.process.poll() is not None
            if b"nr %06d " % number in self.output:
                return True
            if over:
                raise AssertionError(f"{self.host}: the run ended before line {number}: {self.view()}")
            return False

        wait_until(f"{self.host} shows line {number}", shown, seconds)

    def end(self, seconds):
        """Waits for the end; returns the exit status of the command line."""
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"{self.host}: the command line did not end within {seconds} s; "
                                 f"{self.seen()} numbered lines; {self.view()}") from None
        finally:
            self.over.set()
        for thread in self.threads:
            thread.join(timeout=10)
        return status

    def view(self):
        """The run as the dashboard sees it."""
        return self.fleet.get(f"/api/runs/{self.run}")

    def log(self):
        """The bytes that the command wrote."""
        return self.fleet.get(f"/api/runs/{self.run}/log.txt", text=True)
