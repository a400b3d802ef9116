"""Compares texts with files, or writes them: golden.py DIRECTORY [--write] < JSON of {name: text}. Says what differs.

Names are DIRECTORY/FILE; directories of which there is no text are left alone.
"""

import difflib
import json
import sys
from pathlib import Path


def main():
    directory, write = Path(sys.argv[1]), "--write" in sys.argv
    texts = json.load(sys.stdin)
    here = {name.split("/")[0] for name in texts}
    there = {str(file.relative_to(directory)): file.read_text() for part in here for file in (directory / part).rglob("*")}
    if write:
        for name in there.keys() - texts.keys():
            (directory / name).unlink()
        for name, text in texts.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        print(f"{len(texts)} files written")
        return 0
    wrong = 0
    for name in sorted(there.keys() | texts.keys()):
        old, new = there.get(name), texts.get(name)
        if old != new:
            wrong += 1
            lines = ["" if text is None else text for text in (old, new)]
            diff = difflib.unified_diff(*(text.splitlines() for text in lines), f"{directory}/{name}", "as evaluated", lineterm="")
            print("\n".join(diff))
    print(f"{len(texts)} files, {wrong} of them differ")
    return 1 if wrong else 0


sys.exit(main())
