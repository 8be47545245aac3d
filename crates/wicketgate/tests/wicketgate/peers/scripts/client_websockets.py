"""`websockets` as client: each job of argv[1] from HTTP over a WebSocket to HTTP."""
import asyncio
import json
import os
import random
import ssl
import sys
import urllib.request

from websockets.asyncio.client import connect

TLS = ssl.create_default_context(cafile=os.environ["CA"])


def get(url):
    url = url.replace("ws", "http", 1)
    with urllib.request.urlopen(url, context=TLS if url.startswith("https") else None) as response:
        assert response.read() == b"hello", url


async def talk(url, deflate, offer):
    get(url)
    context = TLS if url.startswith("wss") else None
    compression = "deflate" if offer else None
    options = dict(ssl=context, subprotocols=["mqtt", "chat"], compression=compression, max_size=None)
    async with connect(url, **options) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        names = [extension.name for extension in socket.protocol.extensions]
        assert names == (["permessage-deflate"] if deflate and offer else []), names
        for message in ["grüße", "", b"\x00\xff" * 35_000, "all alike " * 300_000, random.Random(1).randbytes(3 << 20)]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "three ", "fragments"])
        assert await socket.recv() == "in three fragments"
        await (await socket.ping(b"there?"))
        for number in range(100):
            await socket.send(f"message {number}")
        for number in range(100):
            assert await socket.recv() == f"message {number}"
        await socket.close(4001, "done")
        assert socket.close_code in (4001, 1000), socket.close_code
    async with connect(url, **options) as socket:
        await socket.send("close, please")
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (4002, "as asked"), socket.close_code
    get(url)


async def main():
    for job in json.loads(sys.argv[1]):
        for offer in (True, False):
            try:
                await talk(job["url"], job["deflate"], offer)
            except BaseException as error:
                raise RuntimeError(f"{job}, offered {offer}") from error
    print("all well")


asyncio.run(main())
