// Plain HTTP in all its forms, by Node: ports for HTTP/1.1, the same over TLS, HTTP/2 by prior knowledge, HTTP/2 over TLS.
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");
const https = require("node:https");

const waiting = new Map();
const left = new Map();

async function read(request) {
  const hash = crypto.createHash("sha256");
  let length = 0;
  for await (const piece of request) {
    hash.update(piece);
    length += piece.length;
  }
  return { length, hash: hash.digest("hex") };
}

// The same pseudo-random megabytes as the client expects.
function* megabytes(count) {
  for (let number = 0; number < count; number += 1) yield Buffer.alloc(1 << 20, `${number} `);
}

async function serve(request, response) {
  const url = new URL(request.url, "http://backend");
  switch (url.pathname) {
    case "/hash": {
      const { length, hash } = await read(request);
      response.end(`${length} ${hash} ${request.headers.expect ?? "-"}`);
      break;
    }
    case "/echo":
      response.writeHead(200);
      response.flushHeaders();
      for await (const piece of request) response.write(piece);
      response.end();
      break;
    case "/trailers": {
      // Trailers that are not announced reach no client of HTTP/1.1.
      response.setHeader("Trailer", "x-length");
      response.flushHeaders();
      const { length } = await read(request);
      response.write(`sum ${request.trailers["x-sum"]}`);
      response.addTrailers({ "x-length": `${length}` });
      response.end();
      break;
    }
    case "/head":
      response.writeHead(200, { "content-length": "12345", "x-method": request.method });
      response.end(request.method === "HEAD" ? undefined : Buffer.alloc(12345, "h"));
      break;
    case "/etag": {
      const known = request.headers["if-none-match"] === '"v1"';
      response.writeHead(known ? 304 : 200, { etag: '"v1"' });
      response.end(known ? undefined : "fresh");
      break;
    }
    case "/no-content":
      response.writeHead(204);
      response.end();
      break;
    case "/big":
      for (const piece of megabytes(8)) {
        if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
      }
      response.end();
      break;
    case "/events":
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      waiting.set(url.search, response);
      response.write("data: 0\n\n");
      break;
    case "/next": {
      const events = waiting.get(url.search);
      const number = (await readText(request)).trim();
      if (number === "end") events.end();
      else events.write(`data: ${number}\n\n`);
      response.end("sent");
      break;
    }
    case "/endless": {
      // Until the client leaves, which `/left` waits for.
      left.set(url.search, new Promise((resolve) => response.on("close", resolve)));
      response.write("still here");
      break;
    }
    case "/left":
      await left.get(url.search);
      response.end("gone");
      break;
    case "/headers":
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.setHeader("x-answer", "42");
      response.end(JSON.stringify(request.headers));
      break;
    default:
      response.writeHead(404);
      response.end("no such path");
  }
}

async function readText(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
}

const tls = { cert: fs.readFileSync(process.env.CERT), key: fs.readFileSync(process.env.KEY) };
const answer = (request, response) => serve(request, response).catch((error) => response.destroy(error));
const servers = [
  http.createServer(answer), https.createServer(tls, answer),
  http2.createServer(answer), http2.createSecureServer(tls, answer),
];
Promise.all(servers.map((server) => new Promise((resolve) => {
  server.listen(0, "127.0.0.1", () => resolve(server.address().port));
}))).then((ports) => console.log("ports", ...ports));
