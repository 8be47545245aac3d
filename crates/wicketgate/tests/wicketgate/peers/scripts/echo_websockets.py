"""WebSocket echo and plain HTTP by `websockets`, on a plain and on a TLS port."""
import asyncio
import http
import os
import ssl

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        if message == "close, please":
            await socket.close(4002, "as asked")
        else:
            await socket.send(message)


def plain_http(connection, request):
    if "Upgrade" not in request.headers:
        return connection.respond(http.HTTPStatus.OK, "hello")


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    options = dict(subprotocols=["chat"], max_size=None, process_request=plain_http)
    async with serve(echo, "127.0.0.1", 0, **options) as plain:
        async with serve(echo, "127.0.0.1", 0, ssl=context, **options) as secure:
            ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
            print("ports", *ports, flush=True)
            await asyncio.gather(plain.serve_forever(), secure.serve_forever())


asyncio.run(main())
