// What the scripts of this folder share: a server that prints its port, and a client that ends well or not.
const http = require("node:http");
const { WebSocketServer } = require("ws");

// A WebSocket server that agrees on one of these subprotocols.
exports.sockets = (protocols) => {
  const server = http.createServer((request, response) => response.end("hello"));
  const handleProtocols = (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false;
  return { server, sockets: new WebSocketServer({ server, handleProtocols }) };
};

exports.listen = (server) => server.listen(0, "127.0.0.1", () => console.log("ports", server.address().port));

exports.main = (serve, talk) => {
  if (process.argv[2] === "server") return serve();
  return talk(process.argv[3]).then(() => { console.log("all well"); process.exit(0); }, (error) => {
    console.error(error);
    process.exit(1);
  });
};

// A promise, and what fulfils it.
exports.later = () => {
  const later = {};
  later.comes = new Promise((resolve, reject) => Object.assign(later, { resolve, reject }));
  return later;
};
