"""An echo that grants permessage-deflate on whatever terms a client offers."""
import asyncio

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main():
    # The client gives a case 20 seconds, most of which better compression takes.
    deflate = ServerPerMessageDeflateFactory(compress_settings={"level": 1})
    async with serve(echo, "127.0.0.1", 0, extensions=[deflate], compression=None, max_size=None) as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main())
