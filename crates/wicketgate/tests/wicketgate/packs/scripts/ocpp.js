// OCPP-J 1.6 by the library ocpp-rpc, on both sides.
const assert = require("node:assert");
const { RPCClient, RPCServer } = require("ocpp-rpc");
const { main, later } = require("./common.js");

main(async () => {
  const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: false });
  server.auth((accept) => accept());
  server.on("client", (station) => {
    station.handle("BootNotification", () => ({ status: "Accepted", interval: 300, currentTime: new Date().toISOString() }));
    station.handle("Heartbeat", async () => {
      station.call("Reset", { type: "Soft" }).catch(() => {});
      return { currentTime: new Date().toISOString() };
    });
    station.handle(() => ({}));
  });
  const http = await server.listen(0, "127.0.0.1");
  console.log("ports", http.address().port);
}, async (url) => {
  const open = async () => {
    const station = new RPCClient({ endpoint: url, identity: "station", protocols: ["ocpp1.6"], strictMode: false, reconnect: false });
    await station.connect();
    return station;
  };
  const station = await open();
  const reset = later();
  station.handle("Reset", ({ params }) => { reset.resolve(params.type); return { status: "Accepted" }; });
  const boot = await station.call("BootNotification", { chargePointVendor: "a", chargePointModel: "b" });
  assert.strictEqual(boot.status, "Accepted");
  await station.call("Heartbeat", {});
  assert.strictEqual(await reset.comes, "Soft");
  const closed = later();
  station.on("close", ({ code }) => closed.resolve(code));
  station.call("DataTransfer", { vendorId: "x" }).catch(() => {});
  assert.strictEqual(await closed.comes, 1008);
  const next = await open();
  await next.call("Heartbeat", {});
  await next.close();
});
