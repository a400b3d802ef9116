"""The units of NixOS, as rendered, against those in systemd/, which were measured: units.py SYSTEMD GOLDEN. Says what differs."""

import sys
from pathlib import Path

METRICS = ("Service", "BindReadOnlyPaths")
HOME = ("Service", "ProtectHome")

# Where they differ on purpose, and why.
DIFFERENT = {
    # Programs and files are in the store there.
    ("Service", "ExecStart"),
    # Where the token comes from is an option.
    ("Service", "LoadCredential"),
    ("Path", "PathChanged"),
    # On NixOS a token that is made comes first.
    ("Unit", "After"),
    ("Unit", "Wants"),
    # Metrics below /home, where a host has them there.
    METRICS,
    # A switch restarts the dashboard at its end, and does not stop it at its beginning.
    ("nixfleet-dashboard.service", "X-StopIfChanged"),
}
TRUE = {"yes": "true", "no": "false"}


def read(path):
    """Sections and keys of a unit; a key that stands more than once has all its values."""
    section, found = None, {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault((section, key), []).append(TRUE.get(value.strip(), value.strip()))
    # One list, however it is split over lines.
    return {key: sorted(" ".join(values).split()) for key, values in found.items()}


def main():
    measured, golden = Path(sys.argv[1]), Path(sys.argv[2])
    compared = wrong = 0
    for unit in sorted(golden.glob("*/nixfleet-*.service")) + sorted(golden.glob("*/nixfleet-*.socket")) + sorted(golden.glob("*/nixfleet-*.path")):
        other = measured / unit.name
        if not other.exists():
            continue
        compared += 1
        ours, theirs = read(unit), read(other)
        # A mount below what is inaccessible would be none: it needs the tmpfs, and nothing else may have that.
        if METRICS in ours:
            theirs[HOME] = ["tmpfs"]
        for key in sorted(ours.keys() | theirs.keys()):
            if key in DIFFERENT or (unit.name, key[1]) in DIFFERENT or ours.get(key) == theirs.get(key):
                continue
            wrong += 1
            print(f"{unit}: [{key[0]}] {key[1]}={ours.get(key)}, but {theirs.get(key)} in {other}")
    if compared < 5:
        print(f"only {compared} units to compare")
        return 1
    return 1 if wrong else 0


sys.exit(main())
