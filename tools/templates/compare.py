"""Compares aurum with transformers on templates and the requests of conversations.py.

    python tools/templates/compare.py RUNNER TEMPLATE.jinja...

RUNNER is build/bin/template_runner. Prints every difference and, last, one line of counts.
"""

import json
import os
import subprocess
import sys

from conversations import requests
from oracle import render


def main():
    runner, *paths = sys.argv[1:]
    process = subprocess.Popen([runner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    counts = {"equal": 0, "both refuse": 0, "different": 0}
    for path in paths:
        with open(path, newline="") as file:
            template = file.read()
        for name, request in requests():
            expected = render(template, request)
            process.stdin.write(json.dumps({"template": template, **request}) + "\n")
            process.stdin.flush()
            actual = json.loads(process.stdout.readline())
            if "error" in expected and "error" in actual:
                counts["both refuse"] += 1
            elif expected == actual:
                counts["equal"] += 1
            else:
                counts["different"] += 1
                print("DIFFERENT", os.path.basename(path), name)
                print("  expected", json.dumps(expected)[-600:])
                print("  actual  ", json.dumps(actual)[-600:])
    print(len(paths), "templates", counts)


if __name__ == "__main__":
    main()
