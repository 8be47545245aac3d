// Node's clients: argv[2] is `ws`, `undici` or `undici-h2`; each job of argv[3] from HTTP over a WebSocket to HTTP.
const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");
const undici = require("undici");
const ws = require("ws");

const kind = process.argv[2];
const agent = new undici.Agent({ allowH2: kind === "undici-h2", connect: { ca: fs.readFileSync(process.env.CA) } });

function connect(url, offer) {
  if (kind === "ws") return new ws.WebSocket(url, ["mqtt", "chat"], { perMessageDeflate: offer });
  return new undici.WebSocket(url, { protocols: ["mqtt", "chat"], dispatcher: agent });
}

async function get(url) {
  const response = await undici.request(url.replace("ws", "http"), { dispatcher: agent });
  assert.strictEqual(response.statusCode, 200);
  assert.strictEqual(await response.body.text(), "hello");
}

// A socket whose messages can be awaited one by one.
function open(url, offer) {
  const socket = connect(url, offer);
  socket.binaryType = "arraybuffer";
  const came = [];
  const waiting = [];
  socket.addEventListener("message", ({ data }) => {
    if (waiting.length > 0) waiting.shift()(data);
    else came.push(data);
  });
  socket.next = () => (came.length > 0 ? came.shift() : new Promise((resolve) => waiting.push(resolve)));
  socket.closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  socket.opened = new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", (event) => reject(event.error ?? new Error(event.message)));
  });
  return socket;
}

async function talk(url, deflate, offer) {
  await get(url);
  const socket = open(url, offer);
  await socket.opened;
  assert.strictEqual(socket.protocol, "chat");
  assert.strictEqual(socket.extensions.includes("permessage-deflate"), deflate && offer, socket.extensions);
  for (const text of ["grüße", "", "all alike ".repeat(300_000)]) {
    socket.send(text);
    assert.strictEqual(await socket.next(), text);
  }
  for (const data of [crypto.randomBytes(70_000), crypto.randomBytes(3 << 20)]) {
    socket.send(data);
    assert(data.equals(Buffer.from(await socket.next())));
  }
  for (let number = 0; number < 100; number += 1) socket.send(`message ${number}`);
  for (let number = 0; number < 100; number += 1) assert.strictEqual(await socket.next(), `message ${number}`);
  socket.close(4001, "done");
  assert([4001, 1000].includes((await socket.closed).code));
  const second = open(url, offer);
  await second.opened;
  second.send("close, please");
  const { code, reason } = await second.closed;
  assert.deepStrictEqual([code, reason], [4002, "as asked"]);
  await get(url);
}

(async () => {
  for (const job of JSON.parse(process.argv[3])) {
    // undici always offers compression.
    for (const offer of kind === "ws" ? [true, false] : [true]) {
      await talk(job.url, job.deflate, offer).catch((error) => {
        throw new Error(`${JSON.stringify(job)}, offered ${offer}`, { cause: error });
      });
    }
  }
  await agent.close();
  console.log("all well");
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
