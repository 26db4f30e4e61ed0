"""The shell of every simulated provider behind HTTP/1.1.

A provider brings its `Rules`: what it makes of a call. The rest is shared: TLS, connections, fault
scripts, the ledger. `call` says what the two tell each other, `script` acts on faults without I/O,
`connection` speaks HTTP, `server` owns the sockets.
"""

from booper.simulators.http.call import Call, Rules, Ruling
from booper.simulators.http.server import HttpSimulator

__all__ = ["Call", "HttpSimulator", "Rules", "Ruling"]
