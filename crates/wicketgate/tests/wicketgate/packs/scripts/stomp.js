// STOMP 1.2: the client of stompjs; the server is a broker of this script's.
const assert = require("node:assert");
const WebSocket = require("ws");
const { Client } = require("@stomp/stompjs");
const { sockets, listen, main, later } = require("./common.js");

const frame = (command, headers, body = "") =>
  `${command}\n${Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("")}\n${body}\0`;

main(() => {
  const { server, sockets: wss } = sockets(["v12.stomp"]);
  wss.on("connection", (socket) => {
    const subscriptions = new Map();
    socket.on("message", (data) => {
      for (const text of data.toString().split("\0").map((part) => part.trimStart()).filter(Boolean)) {
        const [head, body] = text.split(/\n\n|\r\n\r\n/);
        const [command, ...lines] = head.split(/\r?\n/);
        const headers = Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)));
        if (command === "CONNECT") socket.send(`${frame("CONNECTED", { version: "1.2", "heart-beat": "0,0" })}\n`);
        if (command === "SUBSCRIBE") subscriptions.set(headers.destination, headers.id);
        if (command === "UNSUBSCRIBE") for (const [name, id] of subscriptions) if (id === headers.id) subscriptions.delete(name);
        const subscription = subscriptions.get(headers.destination);
        if (command === "SEND" && subscription) {
          socket.send(frame("MESSAGE", { subscription, "message-id": "1", destination: headers.destination }, body));
        }
        if (headers.receipt) socket.send(frame("RECEIPT", { "receipt-id": headers.receipt }));
      }
    });
  });
  listen(server);
}, async (url) => {
  const open = async () => {
    const connected = later();
    const closed = later();
    const client = new Client({
      webSocketFactory: () => new WebSocket(url, ["v12.stomp"]), reconnectDelay: 0,
      heartbeatIncoming: 0, heartbeatOutgoing: 0, onConnect: connected.resolve, onWebSocketClose: (event) => closed.resolve(event.code),
    });
    client.activate();
    await Promise.race([connected.comes, closed.comes.then((code) => { throw new Error(`closed ${code}`); })]);
    return { client, closed: closed.comes };
  };
  for (const act of [
    (client) => client.publish({ destination: "/queue/orders", body: "x" }),
    (client) => client.subscribe("/topic/#", () => {}),
  ]) {
    const { client, closed } = await open();
    act(client);
    assert.strictEqual(await closed, 1008);
    await client.deactivate({ force: true });
  }
  const { client } = await open();
  const came = later();
  const subscription = client.subscribe("/topic/hall", ({ body }) => came.resolve(body));
  client.publish({ destination: "/topic/hall", body: JSON.stringify({ n: 1 }), headers: { "content-type": "application/json" } });
  assert.strictEqual(await came.comes, '{"n":1}');
  const receipt = later();
  client.watchForReceipt("r", receipt.resolve);
  subscription.unsubscribe({ receipt: "r" });
  await receipt.comes;
  await client.deactivate();
});
