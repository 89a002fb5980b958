"""Run a command that cannot outlive the process that asked for it.

Usage: ``python guard.py COMMAND [ARGUMENT …]``, with a pipe as standard input.

The command's process id is printed, alone, on the first line of standard output. When the other end of the
pipe closes, which the kernel does whatever way the asking process ended, the command is killed with SIGKILL:
that also ends one that is stopped (SIGSTOP). Unlike PR_SET_PDEATHSIG this works on every POSIX system, and it
does not depend on which thread started the command.
"""

import os
import subprocess
import sys
import threading


def _kill_at_end_of_input(child: "subprocess.Popen[bytes]") -> None:
    # os.read, not sys.stdin: a buffered reader that a daemon thread waits in aborts the interpreter's end.
    while os.read(0, 1):
        pass
    child.kill()


def main() -> int:
    """Start the command in ``sys.argv``, wait for its end and answer its exit status."""
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr) as child:
        sys.stdout.write(f"{child.pid}\n")
        sys.stdout.flush()
        threading.Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
        return child.wait()


if __name__ == "__main__":
    sys.exit(main())
