"""A host as NixOS's module makes it, on real systemd. Usage: nixos_units.py ROOT WORK PROGRAMS

Units, files and script are those of nix/tests/eval/golden/alone, which tests/steps/45-nix holds against the module; only the
paths in the store are others here. The agent has its metrics below a home as the host of golden/host has. Runs in namespaces
of its own, which the step makes.
"""

import json
import sys
import tempfile
from pathlib import Path

from fleet import UNITS, strip, write
from main import check_machine
from node import Node, wait_until
from scenarios import expect

GOLDEN = UNITS.parent / "nix/tests/eval/golden/alone"
# What the module adds to the agent's unit for metrics below a home, by the keys of the unit.
METRICS_UNIT = UNITS.parent / "nix/tests/eval/golden/host/nixfleet-agent.service"
METRICS_KEYS = ("BindReadOnlyPaths=", "ProtectHome=")
METRICS = "/home/ada/.cache/stasysmo"
AGENT = f'interval = 1\n\n[metrics]\nstasysmo_paths = ["{METRICS}"]\n'
PLACES = {
    "/nix/store/…-nixfleet-agent/bin": "/usr/local/bin",
    "/nix/store/…-nixfleet-dashboard/bin": "/usr/local/bin",
    "/nix/store/…-nixfleet-agent.toml": "/etc/nixfleet/agent.toml",
    "/nix/store/…-nixfleet-helper.toml": "/etc/nixfleet/helper.toml",
    "/nix/store/…-nixfleet-dashboard.toml": "/etc/nixfleet/dashboard.toml",
    "/nix/store/…-unit-script-nixfleet-credentials-start/bin/nixfleet-credentials-start": "/usr/local/lib/nixfleet/credentials",
    "/nix/store/…-unit-script-nixfleet-agent-credentials-start/bin/nixfleet-agent-credentials-start": "/usr/local/lib/nixfleet/credentials-changed",
    "/nix/store/…-unit-script-nixfleet-dashboard-credentials-start/bin/nixfleet-dashboard-credentials-start":
        "/usr/local/lib/nixfleet/credentials-changed",
}
# Something to run; the module's own file has none.
COMMAND = '\n[commands.hello]\nargv = ["/usr/bin/echo", "hello from root"]\n'
EXPOSURE = {"nixfleet-agent": 20, "nixfleet-dashboard": 15, "nixfleet-agent-helper": 25, "nixfleet-credentials": 20,
            "nixfleet-agent-credentials": 35, "nixfleet-dashboard-credentials": 35}
TOKEN = "/var/lib/nixfleet-credentials/agent-token"


def with_metrics(text):
    """The agent's unit with metrics below a home."""
    lines = [line for line in text.splitlines() if not line.startswith(METRICS_KEYS)]
    added = [line for line in METRICS_UNIT.read_text().splitlines() if line.startswith(METRICS_KEYS)]
    expect("the key that names the directory", added[0], f"BindReadOnlyPaths=-{METRICS}")
    at = lines.index("[Service]") + 1
    return "\n".join(lines[:at] + added + lines[at:]) + "\n"


def layer_of(programs, layer):
    """What the host has beside Debian."""
    for program in ("nixfleet", "nixfleet-agent", "nixfleet-dashboard"):
        strip(programs / program, layer / "usr/local/bin" / program)
    for unit in sorted(file for kind in ("service", "socket", "path") for file in GOLDEN.glob(f"nixfleet-*.{kind}")):
        text = unit.read_text()
        for there, here in PLACES.items():
            text = text.replace(there, here)
        if unit.name == METRICS_UNIT.name:
            text = with_metrics(text)
        if "/nix/store/" in text:
            raise AssertionError(f"{unit} has a path in the store that this test does not know: {text}")
        write(layer / "etc/systemd/system" / unit.name, text)
        for line in text.splitlines():
            if line.startswith("WantedBy="):
                wants = layer / "etc/systemd/system" / f"{line.removeprefix('WantedBy=')}.wants"
                wants.mkdir(parents=True, exist_ok=True)
                (wants / unit.name).symlink_to(f"../{unit.name}")
    write(layer / "usr/local/lib/nixfleet/credentials", "#!/bin/bash\nset -e\n" + (GOLDEN / "nixfleet-credentials.sh").read_text(), 0o755)
    # As NixOS starts a unit's script.
    changed = "#!/bin/bash\nset -e\n" + (UNITS / "credentials-changed").read_text()
    write(layer / "usr/local/lib/nixfleet/credentials-changed", changed, 0o755)
    for name, more in (("agent", AGENT), ("helper", COMMAND), ("dashboard", "")):
        write(layer / f"etc/nixfleet/{name}.toml", (GOLDEN / f"{name}.toml").read_text() + more)
    # A home of one's own, and beside the metrics something that is nobody else's business.
    write(layer / METRICS.lstrip("/") / "snapshot", "")
    write(layer / "home/ada/private", "private\n")
    (layer / "home/ada").chmod(0o700)
    write(layer / "usr/lib/tmpfiles.d/nixfleet.conf", (GOLDEN / "tmpfiles.conf").read_text())
    for file in (UNITS / "sysusers.d").glob("*.conf"):
        write(layer / "usr/lib/sysusers.d" / file.name, file.read_text())


def check_metrics(node, cli):
    """Metrics below a home that is closed to the agent arrive, and are all that it sees of that home."""
    snapshot = f"echo \"v1 $(date +%s) 21 43 0 0.50 4\" > {METRICS}/snapshot"
    node.exec("sh", "-c", snapshot)

    def ram():
        hosts = json.loads(node.exec(*cli, "hosts", "--json"))["hosts"]
        return (hosts[0]["metrics"] or {}).get("ram") == 43

    wait_until("the metrics are there", ram, 10)
    pid = node.exec("systemctl", "show", "--property=MainPID", "--value", "nixfleet-agent.service").strip()
    expect("what the agent sees of the home", node.exec("ls", "-A", f"/proc/{pid}/root/home/ada").split(), [".cache"])


def check_secret(node):
    """The agents' token is in its file and in the credentials of the two services, and nowhere that others look."""
    token = node.exec("cat", TOKEN).strip()
    expect("the token is what the agent has", node.exec("cat", "/run/credentials/nixfleet-agent.service/agent-token").strip(), token)
    places = {
        "properties of units": "systemctl show 'nixfleet-*'",
        "the journal": "journalctl --no-pager",
        "environments and arguments": "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'",
        "files that all may read": "find /etc /usr/local /nix /run/systemd -type f -perm /044 -exec cat {} +",
    }
    for place, command in places.items():
        said = node.exec("sh", "-c", f"{{ {command}; }} 2>/dev/null | cat -v")
        expect(f"something is in {place}", len(said) > 100, True)
        expect(f"the token is in {place}", token in said, False)


def show(node, unit, key):
    return node.exec("systemctl", "show", f"--property={key}", "--value", unit).strip()


def check_rotation(node, cli):
    """A new token counts at once for both, by a restart; one that was only written anew is none."""
    both = ("nixfleet-agent", "nixfleet-dashboard")

    def looks():
        return [show(node, f"{unit}-credentials.service", "ExecMainExitTimestampMonotonic") for unit in both]

    def at_rest():
        states = [show(node, f"{unit}-credentials.service", "ActiveState") for unit in both]
        return states == ["inactive", "inactive"]

    def are_up():
        return all(show(node, f"{unit}.service", "ActiveState") == "active" for unit in both)

    def pids():
        return [show(node, f"{unit}.service", "MainPID") for unit in both]

    wait_until("nobody looks at the token", at_rest, 30)
    before, looked = pids(), looks()
    node.exec("sh", "-c", f"cp {TOKEN} {TOKEN}.new && mv {TOKEN}.new {TOKEN}")
    wait_until("both have looked at the token", lambda: at_rest() and not set(looks()) & set(looked), 30)
    expect("processes after the same token was written anew", pids(), before)
    node.exec("sh", "-c", f"echo {'5' * 64} > {TOKEN}.new && chmod 600 {TOKEN}.new && mv {TOKEN}.new {TOKEN}")
    # A process has its credentials once it says that it is ready, and not when it is only made.
    wait_until("both are others and ready", lambda: not set(pids()) & set(before) and are_up(), 30)
    for unit in both:
        loaded = node.exec("cat", f"/run/credentials/{unit}.service/agent-token").strip()
        expect(f"what {unit} has", loaded, "5" * 64)
    wait_until("the host is online with the new token", lambda: online(node, cli), 30)
    # One that runs still has the files from before.
    wait_until("nobody looks at the token any more", at_rest, 30)
    check_generations(node, pids()[0])


def check_generations(node, pid):
    """As agenix and sops-nix have it: a link to a directory of secrets, and a new directory at each activation."""
    def generation(number, text):
        there = f"/run/agenix.d/{number}"
        node.exec("sh", "-c", f"mkdir -p {there} && echo {text} > {there}/token && ln -sfT {there} /run/agenix && rm -rf /run/agenix.d/{number - 1}")

    def is_loaded(text):
        _, loaded = node.try_exec("cat", "/run/credentials/nixfleet-agent.service/agent-token")
        return loaded.strip() == text and show(node, "nixfleet-agent.service", "MainPID") not in ("0", pid)

    # What the module writes for such a file; nix/tests/eval has a case of it.
    units = {
        "nixfleet-agent.service": "[Service]\nLoadCredential=\nLoadCredential=agent-token:/run/agenix/token\n",
        "nixfleet-agent-credentials.service": "[Service]\nExecStart=\nExecStart=/usr/local/lib/nixfleet/credentials-changed "
                                              "nixfleet-agent.service agent-token:/run/agenix/token\n",
        "nixfleet-agent-credentials.path": "[Path]\nPathChanged=\nPathChanged=/run/agenix/token\nPathChanged=/run/agenix.d\n",
    }
    generation(1, "5" * 64)
    for unit, text in units.items():
        write(node.path(f"/etc/systemd/system/{unit}.d/agenix.conf"), text)
    node.exec("systemctl", "daemon-reload")
    node.exec("systemctl", "restart", "nixfleet-agent-credentials.path", "nixfleet-agent.service")
    wait_until("the agent has the first generation", lambda: is_loaded("5" * 64), 30)
    pid = show(node, "nixfleet-agent.service", "MainPID")
    generation(2, "6" * 64)
    wait_until("the agent has the second generation", lambda: is_loaded("6" * 64), 30)


def online(node, cli):
    return '"status":"online"' in node.try_exec(*cli, "hosts", "--json")[1].replace(" ", "")


def check(node):
    """All that `services.nixfleet.enable = true` promises of one host."""
    cli = ["env", "NIXFLEET_URL=http://127.0.0.1:8000", "NIXFLEET_TOKEN_FILE=/root/token", "nixfleet"]
    wait_until("the dashboard runs", lambda: node.try_exec("systemctl", "is-active", "nixfleet-dashboard.service")[0] == 0, 20)
    expect("mode and owner of the token", node.exec("stat", "--format=%a %U", TOKEN).strip(), "600 root")
    token = node.exec("cat", TOKEN)
    expect("characters of the token", len(token.strip()), 64)
    node.exec("systemctl", "restart", "nixfleet-credentials.service")
    expect("the token after another start", node.exec("cat", TOKEN), token)
    # As where the disk is full: what was made is too short.
    write(node.path("/usr/local/lib/short/head"), "#!/bin/sh\nexec /usr/bin/head --bytes 10 /dev/urandom\n", 0o755)
    status, said = node.try_exec("env", "PATH=/usr/local/lib/short:/usr/bin:/bin", "/usr/local/lib/nixfleet/credentials")
    expect(f"exit status of a script that made too little ({said})", status, 1)
    expect("the token after that", node.exec("cat", TOKEN), token)
    expect("what listens", [line.split()[3] for line in node.exec("ss", "-Hltn").splitlines()], ["127.0.0.1:8000"])
    # As the wrapper on NixOS's PATH does it.
    made = node.exec("runuser", "--user", "nixfleet-dashboard", "--", "nixfleet-dashboard", "--config", "/etc/nixfleet/dashboard.toml",
                     "token", "create", "tests", "--role", "admin")
    write(node.path("/root/token"), made, 0o600)
    wait_until("the host is online", lambda: online(node, cli), 20)
    check_metrics(node, cli)
    status, said = node.try_exec(*cli, "run", node.name, "hello")
    expect(f"exit status of a run ({said})", status, 0)
    expect(f"what it printed ({said})", "hello from root" in said, True)
    check_secret(node)
    check_rotation(node, cli)
    for unit, limit in EXPOSURE.items():
        said = node.exec("systemd-analyze", "security", "--no-pager", f"--threshold={limit}", f"{unit}.service")
        print(f"  {said.strip().splitlines()[-1].lstrip('→ ')}", flush=True)
    failed = node.exec("systemctl", "list-units", "--failed", "--plain", "--no-legend", "nixfleet*")
    expect("failed units", failed, "")


def main():
    root, work, programs = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="nodes-", dir=work) as directory:
        check_machine(root, directory)
        layer = Path(directory) / "layer-alone"
        layer_of(Path(programs), layer)
        node = Node("alone", 11, [layer, root], directory)
        try:
            node.up()
            check(node)
        except Exception:
            print(node.try_exec("journalctl", "--no-pager", "--lines=80", "--unit=nixfleet-*", "--output=short")[1])
            raise
        finally:
            node.remove()
    print("summary: services.nixfleet.enable = true on real systemd")


if __name__ == "__main__":
    main()
