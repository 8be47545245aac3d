// SignalR: Microsoft's client, in JSON and in MessagePack; the server is a hub of this script's.
const assert = require("node:assert");
const signalr = require("@microsoft/signalr");
const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");
const { decode, encode } = require("@msgpack/msgpack");
const { sockets, listen, main, later } = require("./common.js");

// What a hub says and hears, in the encoding that the handshake chose.
const JSON_HUB = {
  read: (data) => data.toString().split("\x1e").filter(Boolean).map((text) => JSON.parse(text)),
  write: (record) => `${JSON.stringify(record)}\x1e`,
};
const PACKED_HUB = {
  read(data) {
    const records = [];
    // No record of this test is longer than a byte can say.
    for (let at = 0; at < data.length; at += 1 + data[at]) {
      const [type, , invocationId, target, args] = decode(data.subarray(at + 1, at + 1 + data[at]));
      records.push({ type, invocationId, target, arguments: args });
    }
    return records;
  },
  write({ type, invocationId, target, arguments: args, item, result }) {
    const rest = { 1: [null, target, args, []], 2: [invocationId, item], 3: [invocationId, result === undefined ? 2 : 3, result] }[type];
    const bytes = encode([type, {}, ...rest.filter((value) => value !== undefined)]);
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  },
};

main(() => {
  const { server, sockets: wss } = sockets([]);
  wss.on("connection", (socket) => {
    let hub = null;
    const send = (record) => socket.send(hub.write(record));
    socket.on("message", (data) => {
      if (!hub) {
        hub = data.toString().includes("messagepack") ? PACKED_HUB : JSON_HUB;
        socket.send(hub === JSON_HUB ? "{}\x1e" : Buffer.from("{}\x1e"));
        return;
      }
      for (const record of hub.read(data)) {
        if (record.type === 1 && record.target === "Send") {
          send({ type: 1, target: "received", arguments: record.arguments });
          if (record.invocationId) send({ type: 3, invocationId: record.invocationId, result: "sent" });
        } else if (record.type === 4) {
          for (let item = 0; item < 3; item += 1) send({ type: 2, invocationId: record.invocationId, item });
          send({ type: 3, invocationId: record.invocationId });
        } else if (record.type === 1) console.log("deleted");
      }
    });
  });
  listen(server);
}, async (url) => {
  await talk(url, new signalr.JsonHubProtocol());
  await talk(url, new MessagePackHubProtocol());
});

async function talk(url, protocol) {
  const open = async () => {
    const connection = new signalr.HubConnectionBuilder().withHubProtocol(protocol)
      .withUrl(url.replace("ws", "http"), { skipNegotiation: true, transport: signalr.HttpTransportType.WebSockets })
      .configureLogging(signalr.LogLevel.None).build();
    await connection.start();
    return connection;
  };
  const connection = await open();
  const received = later();
  connection.on("received", received.resolve);
  assert.strictEqual(await connection.invoke("Send", "hi"), "sent");
  assert.strictEqual(await received.comes, "hi");
  const items = [];
  const streamed = later();
  connection.stream("Stream").subscribe({ next: (item) => items.push(item), complete: streamed.resolve, error: streamed.reject });
  await streamed.comes;
  assert.deepStrictEqual(items, [0, 1, 2]);
  const closed = later();
  connection.onclose(closed.resolve);
  await assert.rejects(connection.invoke("Delete", "all"));
  await closed.comes;
  const next = await open();
  assert.strictEqual(await next.invoke("Send", "again"), "sent");
  await next.stop();
}
