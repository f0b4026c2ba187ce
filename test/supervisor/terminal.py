"""Runs a command in a terminal of its own, and closes that terminal once a line contains the given text.

Prints how the command ended: its exit code, or less than zero the signal. Where it goes on it is told to end.
"""

import os
import pty
import signal
import sys

seconds, text, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)


def give_up(*_):
    print("it goes on")
    os.kill(pid, signal.SIGTERM)


signal.signal(signal.SIGALRM, give_up)
signal.alarm(int(seconds))
output = b""
while text.encode() not in output:
    output += os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
