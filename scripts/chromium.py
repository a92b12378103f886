"""Installs Debian's chromium for the browser tests where it is missing and may be installed.

Where it may not, says so and ends well: the browser tests then say why they did not run, and fail where CI=true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

INSTALL = "apt-get install --yes --no-install-recommends chromium"


def main() -> int:
    if shutil.which("chromium"):
        return 0
    if not shutil.which("apt-get"):
        print("No chromium and no apt-get: the browser tests will not run.", file=sys.stderr)
        return 0
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if as_root and (not shutil.which("sudo") or subprocess.run([*as_root, "true"], check=False).returncode):
        print(f"No chromium and no right to install it ({INSTALL}): the browser tests will not run.", file=sys.stderr)
        return 0
    print("Installing Debian's chromium for the browser tests …", file=sys.stderr)
    for command in ("apt-get update --quiet=2", f"{INSTALL} --quiet=2"):
        whole = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", *command.split()]  # it asks nothing
        done = subprocess.run(whole, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        if done.returncode:
            print(f"`{command}` failed: the browser tests will not run without chromium.", file=sys.stderr)
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
