"""WebSocket echo and plain HTTP by aiohttp, on a plain and on a TLS port."""
import asyncio
import os
import ssl

from aiohttp import WSMsgType, web


async def serve(request):
    if "Upgrade" not in request.headers:
        return web.Response(text="hello")
    socket = web.WebSocketResponse(protocols=("chat",), max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        elif message.data == "close, please":
            await socket.close(code=4002, message=b"as asked")
        else:
            await socket.send_str(message.data)
    return socket


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    application = web.Application()
    application.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    sites = [web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls) for tls in (None, context)]
    for site in sites:
        await site.start()
    print("ports", *(address[1] for address in runner.addresses), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
