"""aiohttp as client: each job of argv[1] from HTTP over a WebSocket to HTTP, on one connection pool."""
import asyncio
import json
import os
import random
import ssl
import sys

import aiohttp

TLS = ssl.create_default_context(cafile=os.environ["CA"])


async def get(session, url):
    async with session.get(url.replace("ws", "http", 1)) as response:
        assert await response.text() == "hello"


async def talk(session, url, deflate, offer):
    await get(session, url)
    options = dict(protocols=["mqtt", "chat"], compress=15 if offer else 0, max_msg_size=0)
    async with session.ws_connect(url, **options) as socket:
        assert socket.protocol == "chat", socket.protocol
        assert bool(socket.compress) == (deflate and offer), socket.compress
        for text in ["grüße", "", "all alike " * 300_000]:
            await socket.send_str(text)
            assert await socket.receive_str() == text
        for data in [b"\x00\xff" * 35_000, random.Random(1).randbytes(3 << 20)]:
            await socket.send_bytes(data)
            assert await socket.receive_bytes() == data
        for number in range(100):
            await socket.send_str(f"message {number}")
        for number in range(100):
            assert await socket.receive_str() == f"message {number}"
        await socket.close(code=4001, message=b"done")
        assert socket.close_code in (4001, 1000), socket.close_code
    async with session.ws_connect(url, **options) as socket:
        await socket.send_str("close, please")
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4002, "as asked"), message
    await get(session, url)


async def main():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=TLS)) as session:
        for job in json.loads(sys.argv[1]):
            for offer in (True, False):
                try:
                    await talk(session, job["url"], job["deflate"], offer)
                except BaseException as error:
                    raise RuntimeError(f"{job}, offered {offer}") from error
    print("all well")


asyncio.run(main())
