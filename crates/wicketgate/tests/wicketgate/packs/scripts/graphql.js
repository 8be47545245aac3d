// GraphQL over WebSocket by the library graphql-ws, on both sides.
const assert = require("node:assert");
const WebSocket = require("ws");
const { GraphQLSchema, GraphQLObjectType, GraphQLString, GraphQLInt } = require("graphql");
const { createClient } = require("graphql-ws");
const { useServer } = require("graphql-ws/use/ws");
const { sockets, listen, main, later } = require("./common.js");

const user = new GraphQLObjectType({ name: "User", fields: () => ({ name: { type: GraphQLString }, friend: { type: user } }) });
const ann = { name: "ann" };
ann.friend = ann;
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: "Query", fields: { hello: { type: GraphQLString, resolve: () => "world" }, user: { type: user, resolve: () => ann } } }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: { count: { type: GraphQLInt, subscribe: async function* count() { for (let n = 0; n < 3; n += 1) yield { count: n }; } } },
  }),
});

async function all(client, query) {
  const got = [];
  for await (const result of client.iterate({ query })) got.push(result);
  return got;
}

main(() => {
  const { server, sockets: wss } = sockets(["graphql-transport-ws"]);
  useServer({ schema }, wss);
  listen(server);
}, async (url) => {
  const open = (closed) => createClient({ url, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0, on: { closed }, onNonLazyError: () => {} });
  for (const [query, code] of [
    ["{ user { friend { friend { friend { name } } } } }", 1008],
    ["{ __schema { types { name } } }", 1008],
    ["{ hello", 4400],
  ]) {
    const ended = later();
    const client = open((event) => ended.resolve(event.code));
    await assert.rejects(all(client, query));
    assert.strictEqual(await ended.comes, code, query);
  }
  const client = open();
  assert.deepStrictEqual(await all(client, "{ hello }"), [{ data: { hello: "world" } }]);
  assert.deepStrictEqual(await all(client, "subscription { count }"), [0, 1, 2].map((count) => ({ data: { count } })));
  const left = client.iterate({ query: "subscription { count }" });
  await left.next();
  await left.return();
  assert.deepStrictEqual(await all(client, "{ hello }"), [{ data: { hello: "world" } }]);
  await client.dispose();
});
