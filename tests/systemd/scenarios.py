"""What a host's switch survives. Each scenario gets a fleet and a name for its host, and raises where a promise is broken."""

import re
import time

from fleet import LINES, NEXT_VERSION, UNITS, Watched, write
from node import wait_until

# Shown while a host is away in the middle of a switch; `offline` never.
EXPECTED = {"online", "reconnecting"}


def expect(what, value, wanted):
    """Fails with both values."""
    if value != wanted:
        raise AssertionError(f"{what}: {value!r} instead of {wanted!r}")


def switch(fleet, name, **scenario):
    """Starts a switch that goes as `scenario` says (see on_node/say), and watches it."""
    settings = "".join(f"{key}={value}\n" for key, value in scenario.items())
    write(fleet.nodes[name].path("/etc/nixfleet-test/scenario"), settings)
    return Watched(fleet, name, "switch", name)


def count(scenario):
    """How many numbered lines a scenario prints."""
    return sum(scenario.get(part, 0) for part in ("before", "middle", "after"))


def check_output(watched, node, lines, whole=True):
    """The numbered lines and each other byte: once, in order, as they were written; on the dashboard and as shown live."""
    written = node.path("/var/lib/nixfleet-test/source").read_bytes()
    log = watched.log()
    if whole:
        expect("numbered lines written", numbered(written), LINES[:lines])
        if log != written:
            at = next((at for at, (a, b) in enumerate(zip(log, written)) if a != b), min(len(log), len(written)))
            raise AssertionError(f"log.txt has {len(log)} bytes, the program wrote {len(written)}; they differ from byte "
                                 f"{at}: {log[at:at + 80]!r} instead of {written[at:at + 80]!r}")
    else:
        expect("log.txt is what was written, up to somewhere", written.startswith(log), True)
    shown = watched.output.decode()
    expect("the command line shows all lines once, in order", shown.splitlines(), log.decode().splitlines())
    return log.decode()


def numbered(text):
    """The numbered lines of an output."""
    return [line for line in text.decode().splitlines() if line.startswith("nr ")]


def check_success(fleet, watched, node, scenario, seconds=60):
    """The whole promise: exit code, every byte, the last line, an outcome that is verified, and no false alarm."""
    status = watched.end(seconds)
    run = watched.view()
    expect(f"the command line's exit status (it says {watched.errors.decode()[-500:]!r}; {run})", status, 0)
    expect("state", run["state"], "succeeded")
    expect("exit code", run["exit_code"], 0)
    wait_until("the dashboard has all bytes and their checksum",
               lambda: watched.view()["verified"] is True and not watched.view()["incomplete"], 10)
    log = check_output(watched, node, count(scenario))
    last = log.splitlines()[-1]
    expect("the last line", last.startswith("Done. The new configuration is /nix/store/"), True)
    expect("the generation", last.endswith(watched.view()["generation"] or "none"), True)
    strange = [status for status in watched.statuses if status not in EXPECTED]
    expect(f"statuses of the host, {watched.statuses}, beside the expected ones", strange, [])
    return run


def check_live(watched):
    """The output was shown while it was written, not at the end of it all."""
    first, last = watched.arrivals[0], watched.arrivals[-1]
    early = next(at for at, size in watched.arrivals if size >= last[1] // 4)
    expect("a quarter of the output is shown long before its end", last[0] - early > (last[0] - first[0]) / 3, True)


def check_version(fleet, name, version=NEXT_VERSION, seconds=20):
    """The agent's version as the dashboard knows it."""
    wait_until(f"the agent of {name} is {version}", lambda: fleet.host(name)["agent_version"] == version, seconds)
    fleet.wait_for_status(name, "online", seconds)


def agent_pid(node):
    """The main process of the agent's unit; 0 without one."""
    return int(node.exec("systemctl", "show", "--property=MainPID", "--value", "nixfleet-agent.service") or 0)


def unit_of(watched):
    """The transient unit of a run."""
    return f"nixfleet-run-{watched.run}.service"


def flagship(fleet, name):
    """A switch replaces the agent's unit and program and its helper's, and restarts them."""
    node = fleet.add(name)
    old = agent_pid(node)
    scenario = {"before": 600, "middle": 900, "after": 1500, "rate": 150}
    watched = switch(fleet, name, **scenario)
    check_success(fleet, watched, node, scenario)
    check_live(watched)
    check_version(fleet, name)
    expect("another process is the agent", agent_pid(node) not in (0, old), True)
    program = node.exec("systemctl", "show", "--property=ExecStart", "--value", "nixfleet-agent.service")
    expect("the unit names the new program", "-nixos-system-" in program, True)
    # Everything works with the new agent and the new helper.
    again = {"before": 50, "middle": 50, "after": 50, "units": "keep"}
    check_success(fleet, switch(fleet, name, **again), node, again)


def replaces_itself(fleet, name):
    """As on NixOS the switch leaves the agent alone; the agent replaces itself once the run is over and reported."""
    node = fleet.add(name)
    old = agent_pid(node)
    scenario = {"before": 100, "middle": 200, "after": 300, "units": "keep"}
    watched = switch(fleet, name, **scenario)
    watched.wait_for_line(500)
    expect("the agent's process in the middle of the run", agent_pid(node), old)
    check_success(fleet, watched, node, scenario)
    expect("the agent's process that told the end", agent_pid(node), old)
    # It lives for a minute at least, whatever its unit says.
    check_version(fleet, name, seconds=90)
    expect("another process is the agent", agent_pid(node) not in (0, old), True)


def forgotten(fleet, name):
    """As on NixOS, a configuration without the agent leaves it alone; it tells the run's end, and then it goes for good."""
    node = fleet.add(name)
    old = agent_pid(node)
    scenario = {"before": 100, "middle": 200, "after": 100, "units": "forget"}
    watched = switch(fleet, name, **scenario)
    check_success(fleet, watched, node, scenario)
    expect("the agent's process that told the end", agent_pid(node), old)
    wait_until("the agent is gone", lambda: agent_pid(node) == 0, 90)
    time.sleep(3)
    expect("processes of the agent, later", node.processes("/usr/local/bin/nixfleet-agent --config"), 0)


def removed(fleet, name):
    """The switch stops the agent and its helper and removes their units; put back later, the agent tells the end."""
    node = fleet.add(name)
    scenario = {"before": 100, "middle": 200, "after": 300, "units": "remove"}
    watched = switch(fleet, name, **scenario)
    wait_until("the agent is gone", lambda: agent_pid(node) == 0, 30)
    fleet.wait_for_status(name, "reconnecting", 10)
    source = node.path("/var/lib/nixfleet-test/source")
    wait_until("the switch is over", lambda: b"Done." in source.read_bytes(), 30)
    time.sleep(2)
    expect("the run while nobody can tell", watched.view()["state"] in ("starting", "running"), True)
    for unit in UNITS.glob("nixfleet-agent*.*"):
        write(node.path(f"/etc/systemd/system/{unit.name}"), unit.read_text())
    node.exec("systemctl", "daemon-reload")
    node.exec("systemctl", "start", "nixfleet-agent-helper.socket", "nixfleet-agent.service")
    check_success(fleet, watched, node, scenario)


def restarted(fleet, name):
    """Somebody restarts the agent and the helper in the middle of the switch, twice."""
    node = fleet.add(name)
    scenario = {"before": 100, "middle": 300, "after": 300, "units": "keep"}
    watched = switch(fleet, name, **scenario)
    for line in (50, 250):
        watched.wait_for_line(line)
        node.exec("systemctl", "restart", "nixfleet-agent.service", "nixfleet-agent-helper.socket")
    check_success(fleet, watched, node, scenario)


def killed(fleet, name):
    """Agent and helper are killed in the middle of the switch, twice."""
    node = fleet.add(name)
    scenario = {"before": 100, "middle": 300, "after": 400, "units": "keep"}
    watched = switch(fleet, name, **scenario)
    for line in (50, 350):
        watched.wait_for_line(line)
        old = agent_pid(node)
        for unit in ("nixfleet-agent.service", "nixfleet-agent-helper.service"):
            node.try_exec("systemctl", "kill", "--signal=KILL", unit)
        wait_until("the agent is another process", lambda old=old: agent_pid(node) not in (0, old), 10)
    check_success(fleet, watched, node, scenario)


def cable_cut(fleet, name):
    """The host's network is away for 8 s in the middle of the switch."""
    node = fleet.add(name)
    scenario = {"before": 100, "middle": 200, "after": 1200}
    watched = switch(fleet, name, **scenario)
    watched.wait_for_line(150)
    node.cut()
    fleet.wait_for_status(name, "reconnecting", 8)
    shown = watched.seen()
    time.sleep(8)
    expect("what is shown without a network", watched.seen(), shown)
    node.heal()
    healed = time.monotonic()
    wait_until("lines are shown again", lambda: watched.seen() > shown, 15)
    print(f"  {name}: live again {time.monotonic() - healed:.1f} s after the cable was plugged in", flush=True)
    check_success(fleet, watched, node, scenario)
    check_version(fleet, name)


def rebooted(fleet, name):
    """The host reboots right after the switch, at its own wish: the last thing that the run does."""
    node = fleet.add(name)
    scenario = {"before": 50, "middle": 100, "after": 100, "then": "reboot", "units": "keep"}
    before = node.leader()
    watched = switch(fleet, name, **scenario)
    node.wait_for_boot(other_than=before)
    check_success(fleet, watched, node, scenario)
    check_version(fleet, name)


def power_cut(fleet, name):
    """The host loses its power in the middle of the switch: the run is lost, for the reason that it is, and nothing else."""
    node = fleet.add(name)
    watched = switch(fleet, name, before=50, middle=200, after=2000, units="keep")
    watched.wait_for_line(400)
    shown = watched.seen()
    node.crash()
    node.up()
    expect("the command line's exit status", watched.end(60), 75)
    run = watched.view()
    expect("state", run["state"], "lost")
    expect(f"the reason says so: {run['reason']}", "reboot" in run["reason"] or "restarted" in run["reason"], True)
    log = check_output(watched, node, 0, whole=False)
    expect("what was shown is kept", log.count("\nnr ") >= shown, True)
    fleet.wait_for_status(name, "online", 20)
    again = {"before": 20, "middle": 20, "after": 20, "units": "keep"}
    check_success(fleet, switch(fleet, name, **again), node, again)


def supervisor_killed(fleet, name):
    """The run's unit is killed: it is lost within 10 s, with everything that it had written."""
    node = fleet.add(name)
    watched = switch(fleet, name, before=100, middle=2000, units="keep")
    watched.wait_for_line(300)
    node.exec("systemctl", "kill", "--signal=KILL", unit_of(watched))
    at = time.monotonic()
    expect("the command line's exit status", watched.end(10), 75)
    print(f"  {name}: lost {time.monotonic() - at:.1f} s after the kill", flush=True)
    run = watched.view()
    expect("state", run["state"], "lost")
    expect("a reason", bool(run["reason"]), True)
    log = check_output(watched, node, 0, whole=False)
    written = numbered(node.path("/var/lib/nixfleet-test/source").read_bytes())
    # The program notes a piece, then writes it: one piece may have been on its way.
    expect("all but the last piece is kept", log.count("\nnr ") >= len(written) - 10, True)


def stopped(fleet, name):
    """An operator stops a run whose children have left its session and ignore SIGTERM: the whole unit ends."""
    node = fleet.add(name)
    watched = Watched(fleet, name, "run", name, "family")
    wait_until("the family is there", lambda: b"the family stays" in watched.output, 15)
    wait_until("two children are there", lambda: node.processes("nixfleet-test-child") == 2, 5)
    stop = fleet.cli("stop", watched.run)
    expect(f"exit status of stop ({stop.communicate(timeout=60)})", stop.returncode, 0)
    expect("the command line's exit status", watched.end(60), 130)
    expect("state", watched.view()["state"], "stopped")
    wait_until("no child is left", lambda: node.processes("nixfleet-test-child") == 0, 5)
    wait_until("the unit is gone", lambda: node.try_exec("systemctl", "is-active", unit_of(watched))[0] != 0, 5)


def sandboxed(fleet, name):
    """What the agent's unit can and cannot do, tried in its own sandbox while a run goes on; and both units' exposure."""
    node = fleet.add(name)
    scenario = {"before": 20, "middle": 300, "units": "keep"}
    watched = switch(fleet, name, **scenario)
    watched.wait_for_line(40)
    for file in ("/root/secret", "/home/somebody/file", "/dev/shm/stasysmo/cpu"):
        write(node.path(file), "7\n", 0o644)
    write(node.path("/var/lib/nixfleet-dashboard/data"), "secret", 0o600)
    node.path("/var/lib/nixfleet-dashboard").chmod(0o700)
    unit = (UNITS / "nixfleet-agent.service").read_text()
    command = f"/usr/local/lib/nixfleet-test/probe /var/lib/nixfleet/runs/{watched.run}"
    for line, other in {
        r"^ExecStart=.*": f"ExecStart={command}\nStandardOutput=truncate:/run/nixfleet-probe",
        r"^Type=.*": "Type=oneshot",
        r"^Restart=.*": "Restart=no",
    }.items():
        unit, replaced = re.subn(line, other, unit, flags=re.MULTILINE)
        expect(f"lines {line} of the unit", replaced, 1)
    write(node.path("/run/systemd/system/nixfleet-probe.service"), unit)
    node.exec("systemctl", "daemon-reload")
    node.exec("systemctl", "start", "nixfleet-probe.service")
    said = node.path("/run/nixfleet-probe").read_text().splitlines()
    can = [line.removeprefix("can ") for line in said if line.startswith("can ")]
    expect("what the agent can do (" + "; ".join(said) + ")", can, [
        "read a journal", "read its unit", "read the boot's id", "read the running system", "read shared metrics",
        "write its own state"])
    check_success(fleet, watched, node, scenario)
    for machine, unit, limit in ((node, "nixfleet-agent.service", "20"), (fleet.dash, "nixfleet-dashboard.service", "15")):
        said = machine.exec("systemd-analyze", "security", "--no-pager", f"--threshold={limit}", unit)
        print(f"  {said.strip().splitlines()[-1].lstrip('→ ')}", flush=True)


# In the order in which they are started; the long ones first.
ALL = [replaces_itself, forgotten, flagship, cable_cut, power_cut, rebooted, removed, killed, restarted, supervisor_killed,
       stopped, sandboxed]
