"""NixFleet on real systemd: scenarios, several at a time. Usage: main.py ROOT WORK PROGRAMS NEXT_AGENT [SCENARIO…]

PROGRAMS is the directory of nixfleet, nixfleet-agent and nixfleet-dashboard; NEXT_AGENT is an agent of another version.
Runs in namespaces of its own, which the step makes.
"""

import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import scenarios
from fleet import Fleet
from node import Node, make_bridge

# Nodes mostly wait: for the pace of a switch, for a deadline.
AT_A_TIME = 4


def attempt(fleet, scenario):
    """Runs one scenario; returns whether its promises hold."""
    name = scenario.__name__.replace("_", "-")
    start = time.monotonic()
    try:
        scenario(fleet, name)
    except Exception:  # Whatever it is, the other scenarios shall tell what they find.
        print(f"FAILED  {scenario.__name__} ({time.monotonic() - start:.0f} s): {scenario.__doc__}\n{traceback.format_exc()}")
        tell(fleet, name)
        return False
    finally:
        if name in fleet.nodes:
            fleet.nodes.pop(name).remove()
    print(f"ok      {scenario.__name__} ({time.monotonic() - start:.0f} s)", flush=True)
    return True


def tell(fleet, name):
    """What the node's own journal says of NixFleet."""
    try:
        said = fleet.nodes[name].try_exec("journalctl", "--no-pager", "--lines=60", "--unit=nixfleet-*", "--output=short")[1]
        print("\n".join(f"        {line}" for line in said.splitlines()), flush=True)
    except Exception as error:
        print(f"        no journal of {name}: {error}", flush=True)


def check_machine(root, directory):
    """Ends with 77, for skipped, where no node can boot: that is this machine's fault and not the project's."""
    try:
        make_bridge()
        bare = Node("bare", 250, [root], directory)
        bare.up()
        bare.remove()
    except (AssertionError, RuntimeError, OSError) as error:
        print(f"cannot boot a bare node here: {' '.join(str(error).split())}")
        sys.exit(77)


def main():
    root, work, programs, next_agent, *names = sys.argv[1:]
    chosen = [scenario for scenario in scenarios.ALL if not names or scenario.__name__ in names]
    if not chosen:
        sys.exit(f"there is no such scenario; there are {', '.join(scenario.__name__ for scenario in scenarios.ALL)}")
    start = time.monotonic()
    programs = {name: Path(programs) / name for name in ("nixfleet", "nixfleet-agent", "nixfleet-dashboard")}
    with tempfile.TemporaryDirectory(prefix="nodes-", dir=work) as directory:
        check_machine(root, directory)
        fleet = Fleet(directory, root, {**programs, "next": next_agent})
        try:
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                held = list(pool.map(lambda scenario: attempt(fleet, scenario), chosen))
            if not all(held):
                tell(fleet, "dash")
        finally:
            fleet.end()
    print(f"summary: {sum(held)} of {len(chosen)} scenarios on real systemd, {time.monotonic() - start:.0f} s")
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
