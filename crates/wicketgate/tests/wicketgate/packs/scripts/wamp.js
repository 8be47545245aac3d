// WAMP 2: the client of autobahn; the server is a router of this script's.
const assert = require("node:assert");
const autobahn = require("autobahn");
const { sockets, listen, main, later } = require("./common.js");

main(() => {
  const { server, sockets: wss } = sockets(["wamp.2.json"]);
  wss.on("connection", (socket) => {
    const send = (message) => socket.send(JSON.stringify(message));
    const topics = new Map();
    socket.on("message", (data) => {
      const [type, request, , name, args] = JSON.parse(data);
      if (type === 1) send([2, 12345, { roles: { broker: {}, dealer: {} } }]);
      if (type === 6) send([6, {}, "wamp.close.goodbye_and_out"]);
      if (type === 32) { topics.set(name, request); send([33, request, request]); }
      if (type === 16) {
        send([17, request, 1]);
        if (topics.has(name)) send([36, topics.get(name), 1, {}, args]);
      }
      if (type === 48) send([50, request, {}, [args[0] + args[1]]]);
    });
  });
  listen(server);
}, async (url) => {
  const open = () => new Promise((resolve, reject) => {
    const connection = new autobahn.Connection({ url, realm: "site", max_retries: 0 });
    connection.closed = later();
    connection.onopen = (session) => resolve({ connection, session });
    connection.onclose = (reason) => { reject(new Error(reason)); connection.closed.resolve(reason); return true; };
    connection.open();
  });
  const { connection, session } = await open();
  assert.strictEqual(await session.call("site.sum", [1, 2]), 3);
  const came = later();
  await session.subscribe("site.news", ([text]) => came.resolve(text));
  await session.publish("site.news", ["hi"], {}, { acknowledge: true, exclude_me: false });
  assert.strictEqual(await came.comes, "hi");
  session.call("wamp.session.kill_all", []).catch(() => {});
  await connection.closed.comes;
  const next = await open();
  assert.strictEqual(await next.session.call("site.sum", [2, 2]), 4);
  next.connection.close();
  await next.connection.closed.comes;
});
