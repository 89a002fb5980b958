"""Closes the socket of a refused connection, which kafka-python 3.0.12 leaves to the garbage collector.

While a broker is down every client of ours tries again each second, and each refusal would leave a socket
open: a long outage would use up the process's file descriptors. Importing this module mends that, once, for
every client in the process; nothing else is changed. Each module of ours that opens a client imports it.
"""

from typing import Any, Final

from kafka.net.inet import KafkaNetSocket

_connect: Final[Any] = KafkaNetSocket.sock_connect


async def _connect_or_close(self: Any, net: Any, sock: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - untyped there.
    try:
        return await _connect(self, net, sock, *rest, **named)
    except BaseException:
        # Also when the attempt is abandoned half-way: then the coroutine ends with GeneratorExit.
        sock.close()
        raise


if _connect.__module__ != __name__:
    KafkaNetSocket.sock_connect = _connect_or_close  # type: ignore[method-assign]  # The mending is the purpose.  # to mend it is the aim
