// A page that talks over a WebSocket to where it came from, and the echo it talks to. Prints its port.
const http = require("node:http");
const { WebSocketServer } = require("ws");

const PAGE = `<!doctype html><meta charset="utf-8"><title>page</title><script>
const said = [];
async function talk() {
  const fetched = await (await fetch("/word")).text();
  const socket = new WebSocket("wss://" + location.host + "/socket", ["mqtt", "chat"]);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("no socket")); });
  const echo = (message) => new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data); socket.send(message); });
  const text = await echo("grüße ".repeat(50_000));
  const bytes = await echo(new Uint8Array(300_000).fill(7));
  const closed = new Promise((resolve) => { socket.onclose = resolve; });
  socket.send("close, please");
  const { code, reason, wasClean } = await closed;
  const after = await (await fetch("/word")).text();
  return [fetched, after, socket.protocol, socket.extensions, text.length, bytes.byteLength, code, reason, wasClean,
    performance.getEntriesByType("navigation")[0].nextHopProtocol].join(" | ");
}
</script>`;

const server = http.createServer((request, response) => {
  response.setHeader("content-type", request.url === "/" ? "text/html" : "text/plain");
  response.end(request.url === "/" ? PAGE : "word");
});
const sockets = new WebSocketServer({ server, perMessageDeflate: true, handleProtocols: () => "chat" });
sockets.on("connection", (socket) => socket.on("message", (data, binary) => {
  if (!binary && data.toString() === "close, please") socket.close(4002, "as asked");
  else socket.send(data, { binary });
}));
server.listen(0, "127.0.0.1", () => console.log("ports", server.address().port));
