// JSON-RPC 2.0 by the library rpc-websockets, on both sides.
const assert = require("node:assert");
const { Client, Server } = require("rpc-websockets");
const WebSocket = require("ws");
const { main, later } = require("./common.js");

main(() => {
  const server = new Server({ port: 0, host: "127.0.0.1" });
  server.register("sum", ([one, two]) => one + two);
  server.register("drop_everything", () => "gone");
  server.on("listening", () => console.log("ports", server.wss.address().port));
}, async (url) => {
  const open = async () => {
    const client = new Client(url, { reconnect: false });
    const opened = later();
    client.on("open", opened.resolve);
    client.on("error", opened.reject);
    await opened.comes;
    return client;
  };
  const client = await open();
  assert.strictEqual(await client.call("sum", [1, 2]), 3);
  const sums = await Promise.all([1, 2, 3].map((number) => client.call("sum", [number, number])));
  assert.deepStrictEqual(sums, [2, 4, 6]);
  const closed = later();
  client.on("close", closed.resolve);
  client.call("drop_everything").catch(() => {});
  assert.strictEqual(await closed.comes, 1008);
  const raw = new WebSocket(url);
  const answer = later();
  raw.on("open", () => raw.send(JSON.stringify([1, 2].map((id) => ({ jsonrpc: "2.0", method: "sum", params: [id, id], id })))));
  raw.on("message", (data) => answer.resolve(JSON.parse(data)));
  raw.on("close", answer.reject);
  assert.deepStrictEqual((await answer.comes).map(({ result }) => result), [2, 4]);
  raw.close();
});
