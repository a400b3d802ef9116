import json
import time


class Fleet:
    """The fleet as an operator sees it, from the dashboard's machine."""

    OVER = {"succeeded", "degraded", "reboot_required", "failed", "stopped", "timed_out", "lost", "rolled_back"}

    def __init__(self, machine, url="http://127.0.0.1:8000", options=""):
        self.machine, self.url, self.options, self.watches = machine, url, options, 0

    def begin(self):
        """Waits for the dashboard and makes an operator's token."""
        self.machine.wait_for_unit("nixfleet-dashboard.service")
        self.machine.wait_until_succeeds(f"curl --fail --silent {self.options} {self.url}/health", timeout=60)
        self.machine.succeed("umask 077; nixfleet-dashboard token create tests --role admin > /root/token")

    def get(self, path):
        """What the dashboard answers."""
        return json.loads(self.machine.succeed(f"{self.curl()} {self.url}{path}"))

    def curl(self):
        """A request with the token, which no command line shows."""
        return f"curl --fail --silent --max-time 20 {self.options} --header @<(echo \"Authorization: Bearer $(cat /root/token)\")"

    def host(self, name):
        """A host as the dashboard has it; None if it does not know it."""
        return next((host for host in self.get("/api/hosts")["hosts"] if host["hostname"] == name), None)

    def run(self, run):
        """A run as the dashboard has it."""
        return self.get(f"/api/runs/{run}")

    def wait_until(self, what, condition, seconds):
        """Waits for a condition and returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
            time.sleep(0.2)

    def wait_for_status(self, name, status, seconds=60):
        """Waits until a host is online, offline or reconnecting."""
        self.wait_until(f"{name} is {status}", lambda: (self.host(name) or {}).get("status") == status, seconds)

    def start(self, command, host):
        """Starts a command as an operator does, watched by a process of its own; returns the run."""
        self.watches += 1
        here = f"/tmp/watch-{self.watches}"
        environment = f"NIXFLEET_URL={self.url} NIXFLEET_TOKEN_FILE=/root/token"
        # By itself a unit has the programs of systemd's package on its PATH and no others.
        self.machine.succeed(
            f"systemd-run --quiet --setenv=PATH=/run/current-system/sw/bin --unit=watch-{self.watches} bash -c "
            f"'{environment} nixfleet {command} > {here}.out 2> {here}.err; echo $? > {here}.status'"
        )
        return self.wait_until(f"{host} runs", lambda: ((self.host(host) or {}).get("activity") or {}).get("run"), 30)

    def wait_for_line(self, number, seconds=60):
        """Waits until the last command's watcher has seen a numbered line."""
        self.machine.wait_until_succeeds(f"grep --quiet 'nr {number:06}' /tmp/watch-{self.watches}.out", timeout=seconds)

    def end(self, seconds=120):
        """Waits for the last command's end; returns its exit status and what it printed."""
        here = f"/tmp/watch-{self.watches}"
        self.machine.wait_until_succeeds(f"test -s {here}.status", timeout=seconds)
        return int(self.machine.succeed(f"cat {here}.status")), self.machine.succeed(f"cat {here}.out")

    def check_success(self, run, machine, lines):
        """Exit status, outcome, each line once and in order, and each byte as the program wrote it."""
        status, shown = self.end()
        view = self.run(run)
        assert status == 0, f"exit status {status}: {view}"
        assert view["state"] == "succeeded" and view["exit_code"] == 0, view
        self.wait_until("all bytes and their checksum are there", lambda: self.run(run)["verified"], 30)
        numbered = [line.strip() for line in shown.splitlines() if line.startswith("nr ")]
        assert numbered == [f"nr {n:06}" for n in range(1, lines + 1)], f"{len(numbered)} lines: {numbered[:3]} … {numbered[-3:]}"
        assert "Done. The new configuration is /nix/store/" in shown, shown[-300:]
        written = machine.succeed("tr --delete '\\r' < /var/lib/nixfleet-test/source | sha256sum")
        stored = self.machine.succeed(f"{self.curl()} {self.url}/api/runs/{run}/log.txt | tr --delete '\\r' | sha256sum")
        assert stored == written, "the dashboard has other bytes than the program wrote"
        return view


def agent_pid(machine):
    """The agent's main process; 0 without one."""
    return int(machine.succeed("systemctl show --property=MainPID --value nixfleet-agent.service").strip() or 0)


def another_agent(fleet, machine, old, seconds=30):
    """Waits until another process is the agent."""
    fleet.wait_until("another process is the agent", lambda: agent_pid(machine) not in (0, old), seconds)
