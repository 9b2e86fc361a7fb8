#!/usr/bin/python3
"""What stands for systemctl in a chroot: runs our units from their own lines, and Debian's services by their scripts.

It reads of a unit what says how it is started (ExecStart, User, EnvironmentFile, WorkingDirectory, UMask,
StateDirectory, Listen and its owner); the walls of a unit are systemd's own, and tests/test_systemd.py's.
"""

import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
PIDS = Path("/run/trial")
DEBIANS = ("postgresql", "nginx")


def main(words):
    """As systemctl, for what the chapter says."""
    verb, names = words[0], [word for word in words[1:] if not word.startswith("-")]
    if verb == "daemon-reload":
        return 0
    for name in names:
        if name in DEBIANS:
            subprocess.run(["service", name, verb], check=True)
        elif verb == "enable" and "--now" in words:
            enable(name)
        elif verb == "start":
            once(name)
        elif verb == "restart":
            stop(name)
            enable(name)
        elif verb == "reload":
            os.kill(int((PIDS / stem(name)).read_text()), signal.SIGHUP)
        else:
            sys.exit(f"the stand-in for systemctl knows no {verb} {name}")
    return 0


def stop(name):
    """End a service as systemd does, and wait for it."""
    pid = int((PIDS / stem(name)).read_text())
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}/stat").exists() and ") Z" not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.1)


def stem(name):
    """The name of a service, with or without its ending."""
    return name.removesuffix(".service")


def read(name):
    """The lines of a unit: each key with its last value."""
    lines = (UNITS / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith(("#", ";")))


def once(name):
    """A service that does its work and ends, with the credentials it is given."""
    unit = read(name)
    assert unit["Type"] == "oneshot"
    user = pwd.getpwnam(unit["User"])
    given = Path("/run/credentials", name)
    given.mkdir(parents=True, exist_ok=True)
    credential, source = unit["LoadCredential"].split(":")
    (given / credential).write_text(Path(source).read_text())
    for path in (given, given / credential):
        os.chown(path, user.pw_uid, user.pw_gid)
    key, value = unit["Environment"].replace("%d", str(given)).split("=")
    os.umask(int(unit["UMask"], 8))
    env = environment(unit, user) | {key: value}
    command = [*as_user(unit, user), *shlex.split(unit["ExecStart"])]
    subprocess.run(command, cwd=unit["WorkingDirectory"], env=env, check=True)


def as_user(unit, user):
    """What runs a command as the unit's user."""
    return ["setpriv", f"--reuid={user.pw_name}", f"--regid={unit['Group']}", "--init-groups"]


def environment(unit, user):
    """What systemd gives a service."""
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": user.pw_dir, "LANG": "C.UTF-8"}
    return env | settings(unit["EnvironmentFile"])


def enable(name):
    """Start a service; a socket waits for the service that requires it, a timer for its hour."""
    if name.endswith((".socket", ".timer")):
        read(name)
        return
    unit = read(f"{stem(name)}.service")
    user = pwd.getpwnam(unit["User"])
    for folder in unit.get("StateDirectory", "").split():
        made = Path("/var/lib", folder)
        made.mkdir(exist_ok=True)
        made.chmod(int(unit["StateDirectoryMode"], 8))
        os.chown(made, user.pw_uid, user.pw_gid)
    command = [*as_user(unit, user), *shlex.split(unit["ExecStart"])]
    env = environment(unit, user)
    socket = unit.get("Requires")
    if socket:
        passed = [word for key, value in env.items() for word in ("-E", f"{key}={value}")]
        command = ["systemd-socket-activate", "-l", read(socket)["ListenStream"], *passed, *command]
        Path(read(socket)["ListenStream"]).parent.mkdir(parents=True, exist_ok=True)
    os.umask(int(unit["UMask"], 8))
    PIDS.mkdir(exist_ok=True)
    with Path("/var/log", f"{stem(name)}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=unit["WorkingDirectory"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    (PIDS / stem(name)).write_text(str(process.pid))
    if socket:
        owned(read(socket))
    time.sleep(1)
    if process.poll() is not None:
        sys.exit(f"{name} ended with {process.returncode}: see /var/log/{stem(name)}.log")


def settings(file):
    """An EnvironmentFile."""
    lines = [line.strip() for line in Path(file).read_text().splitlines()]
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith(("#", ";")))
    return {key: "".join(shlex.split(value)) for key, value in pairs}


def owned(socket):
    """Give the socket to whom the unit says."""
    path = Path(socket["ListenStream"])
    for _ in range(100):
        if path.exists():
            break
        time.sleep(0.05)
    shutil.chown(path, socket["SocketUser"], socket["SocketGroup"])
    path.chmod(int(socket["SocketMode"], 8))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
