"""A port on loopback that is the same in several network namespaces: relayed over a Unix socket.

`relay.py listen SOCKET PORT` takes connections at SOCKET to PORT, `relay.py connect …` the other way round.
"""

from __future__ import annotations

import asyncio
import sys


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main(side: str, path: str, port: str) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if side == "listen":
            other = await asyncio.open_connection("127.0.0.1", int(port))
        else:
            other = await asyncio.open_unix_connection(path)
        await asyncio.gather(pump(reader, other[1]), pump(other[0], writer))

    if side == "listen":
        server = await asyncio.start_unix_server(relay, path)
    else:
        server = await asyncio.start_server(relay, "127.0.0.1", int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
