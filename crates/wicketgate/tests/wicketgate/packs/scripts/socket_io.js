// Socket.IO by its own libraries, on both sides.
const assert = require("node:assert");
const http = require("node:http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");
const { listen, main, later } = require("./common.js");

main(() => {
  const server = http.createServer();
  const sockets = new Server(server, { transports: ["websocket"], pingInterval: 200 });
  for (const name of ["/", "/admin"]) {
    sockets.of(name).on("connection", (socket) => {
      socket.on("say", (text, answer) => answer(`${name} ${text}`));
      socket.on("bytes", (bytes, answer) => answer(Buffer.concat([bytes, bytes])));
      socket.on("ask", async (answer) => answer(await socket.timeout(5000).emitWithAck("question", 1)));
      socket.on("delete", () => console.log("deleted"));
    });
  }
  listen(server);
}, async (url) => {
  const open = (path = "") => io(url.replace("ws", "http") + path, { transports: ["websocket"], reconnection: false, forceNew: true });
  const connected = (socket) => new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  const lost = (socket) => new Promise((resolve) => socket.io.on("close", (reason, details) => resolve(details?.context?.code ?? reason)));
  const socket = open();
  await connected(socket);
  assert.strictEqual(await socket.emitWithAck("say", "hi"), "/ hi");
  assert.deepStrictEqual(Buffer.from(await socket.emitWithAck("bytes", Buffer.from([0, 1]))), Buffer.from([0, 1, 0, 1]));
  socket.on("question", (number, answer) => answer(number + 1));
  assert.strictEqual(await socket.emitWithAck("ask"), 2);
  // Two beats of the server's.
  for (let beat = 0; beat < 2; beat += 1) await new Promise((resolve) => socket.io.engine.once("ping", resolve));
  const gone = lost(socket);
  socket.emit("delete");
  assert.strictEqual(await gone, 1008);
  const admin = open("/admin");
  assert.strictEqual(await lost(admin), 1008);
  const polling = io(url.replace("ws", "http"), { transports: ["websocket"], reconnection: false, forceNew: true });
  await connected(polling);
  assert.strictEqual(await polling.emitWithAck("say", "again"), "/ again");
  polling.disconnect();
});
