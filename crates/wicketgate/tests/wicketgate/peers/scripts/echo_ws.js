// WebSocket echo and plain HTTP by Node's ws, on a plain and on a TLS port.
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { WebSocketServer } = require("ws");

const hello = (request, response) => response.end("hello");
const tls = { cert: fs.readFileSync(process.env.CERT), key: fs.readFileSync(process.env.KEY) };
const servers = [http.createServer(hello), https.createServer(tls, hello)];
const ports = servers.map((server) => new Promise((resolve) => {
  const sockets = new WebSocketServer({
    server, perMessageDeflate: true, handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  });
  sockets.on("connection", (socket) => socket.on("message", (data, binary) => {
    if (!binary && data.toString() === "close, please") socket.close(4002, "as asked");
    else socket.send(data, { binary });
  }));
  server.listen(0, "127.0.0.1", () => resolve(server.address().port));
}));
Promise.all(ports).then((ports) => console.log("ports", ...ports));
