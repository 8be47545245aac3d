// MQTT by the library mqtt.js; the server is mosquitto.
const assert = require("node:assert");
const mqtt = require("mqtt");
const { main, later } = require("./common.js");

main(() => {}, async (url) => {
  for (const protocolVersion of [4, 5]) {
    const open = (clientId) => mqtt.connectAsync(url, { protocolVersion, clientId, reconnectPeriod: 0, connectTimeout: 10000 });
    const refused = async (act) => {
      const client = await open("anon-1");
      client.on("error", () => {});
      const closed = later();
      client.on("close", closed.resolve);
      act(client);
      await closed.comes;
      await client.endAsync(true);
    };
    await refused((client) => client.subscribe("#", () => {}));
    await refused((client) => client.subscribe("$SYS/#", () => {}));
    await refused((client) => client.publish("other/x", "y", { qos: 1 }, () => {}));
    const [one, two] = await Promise.all([open("anon-1"), open("anon-2")]);
    for (const qos of [0, 1, 2]) {
      const came = later();
      one.once("message", (topic, payload) => came.resolve([topic, payload.toString()]));
      await one.subscribeAsync("hall/+", { qos });
      // Longer than one piece of the library's.
      const text = `qos ${qos} ${"x".repeat(100_000)}`;
      await two.publishAsync("hall/a", text, { qos });
      assert.deepStrictEqual(await came.comes, ["hall/a", text]);
      await one.unsubscribeAsync("hall/+");
    }
    await Promise.all([one.endAsync(), two.endAsync()]);
  }
});
