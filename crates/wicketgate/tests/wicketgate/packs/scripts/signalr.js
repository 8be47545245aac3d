// SignalR: Microsoft's client; the server is a hub of this script's, in JSON.
const assert = require("node:assert");
const signalr = require("@microsoft/signalr");
const { sockets, listen, main, later } = require("./common.js");

main(() => {
  const { server, sockets: wss } = sockets([]);
  wss.on("connection", (socket) => {
    const send = (record) => socket.send(`${JSON.stringify(record)}\x1e`);
    let opened = false;
    socket.on("message", (data) => {
      for (const text of data.toString().split("\x1e").filter(Boolean)) {
        const record = JSON.parse(text);
        if (!opened) {
          opened = true;
          send({});
        } else if (record.type === 1 && record.target === "Send") {
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
  const open = async () => {
    const connection = new signalr.HubConnectionBuilder()
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
});
