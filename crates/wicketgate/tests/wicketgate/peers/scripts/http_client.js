// Plain HTTP in all its forms, by Node: argv[2] is a JSON list of { url, version, prefix }.
const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");
const https = require("node:https");

const ca = fs.readFileSync(process.env.CA);

// HTTP/1.1 on one connection for requests one after the other, more where they overlap.
class Http1 {
  constructor(url) {
    this.url = url;
    this.protocol = url.startsWith("https") ? https : http;
    this.agent = new this.protocol.Agent({ keepAlive: true, ca });
  }

  // The sending side, with `answer`: status, headers, body, trailers after the body.
  start(method, path, headers = {}) {
    const request = this.protocol.request(this.url + path, { method, headers, agent: this.agent });
    request.flushHeaders();
    request.went = new Promise((resolve) => request.on("continue", resolve));
    request.answer = new Promise((resolve, reject) => {
      request.on("error", reject);
      request.on("response", (response) => resolve({
        status: response.statusCode, headers: response.headers, body: response, trailers: () => response.trailers,
      }));
    });
    request.sum = (value) => request.addTrailers({ "x-sum": value });
    return request;
  }

  trailing() {
    return { Trailer: "x-sum", TE: "trailers", Connection: "TE" };
  }

  close() {
    this.agent.destroy();
  }
}

// HTTP/2, every request a stream of one connection.
class Http2 {
  constructor(url) {
    this.session = http2.connect(url, { ca });
  }

  start(method, path, headers = {}) {
    const withBody = method === "POST";
    const options = { waitForTrailers: true, endStream: !withBody };
    const request = this.session.request({ ":method": method, ":path": path, ...headers }, options);
    const trailers = {};
    let sum;
    request.on("wantTrailers", () => request.sendTrailers(sum ? { "x-sum": sum } : {}));
    request.on("trailers", (came) => Object.assign(trailers, came));
    request.went = new Promise((resolve) => request.on("continue", resolve));
    request.answer = new Promise((resolve, reject) => {
      request.on("error", reject);
      request.on("response", (came) => resolve({
        status: came[":status"], headers: came, body: request, trailers: () => trailers,
      }));
    });
    request.sum = (value) => { sum = value; };
    return request;
  }

  trailing() {
    return { trailer: "x-sum", te: "trailers" };
  }

  close() {
    this.session.destroy();
  }
}

function start(client, path) {
  const request = client.start("GET", path);
  request.end();
  return request.answer;
}

async function text(body) {
  const pieces = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function ask(client, method, path, headers, body) {
  const request = client.start(method, path, headers);
  request.end(body);
  const answer = await request.answer;
  return { ...answer, text: await text(answer.body) };
}

// Pieces of a body as they come, each as soon as it is there.
function pieces(body) {
  const iterator = body[Symbol.asyncIterator]();
  return async () => (await iterator.next()).value?.toString();
}

const checks = {
  // The body goes on unchanged, by length and in chunks.
  async upload(client, prefix) {
    const body = crypto.randomBytes(8 << 20);
    const expected = `${body.length} ${crypto.createHash("sha256").update(body).digest("hex")} -`;
    const known = { "content-length": `${body.length}` };
    assert.strictEqual((await ask(client, "POST", `${prefix}/hash`, known, body)).text, expected);
    const request = client.start("POST", `${prefix}/hash`);
    for (let at = 0; at < body.length; at += 100_000) request.write(body.subarray(at, at + 100_000));
    request.end();
    assert.strictEqual(await text((await request.answer).body), expected);
  },
  async download(client, prefix) {
    const { body } = await start(client, `${prefix}/big`);
    const expected = crypto.createHash("sha256");
    for (let number = 0; number < 8; number += 1) expected.update(Buffer.alloc(1 << 20, `${number} `));
    const came = crypto.createHash("sha256");
    for await (const piece of body) came.update(piece);
    assert.strictEqual(came.digest("hex"), expected.digest("hex"));
  },
  // Each piece comes back before the next one is sent: nothing waits for the end of a body.
  async duplex(client, prefix) {
    const request = client.start("POST", `${prefix}/echo`);
    request.write("piece 0");
    const next = pieces((await request.answer).body);
    for (let number = 0; number < 5; number += 1) {
      assert.strictEqual(await next(), `piece ${number}`);
      if (number < 4) request.write(`piece ${number + 1}`);
    }
    request.end();
    assert.strictEqual(await next(), undefined);
  },
  async trailers(client, prefix) {
    const request = client.start("POST", `${prefix}/trailers`, client.trailing());
    request.write("abc");
    request.sum("6");
    request.end("def");
    const answer = await request.answer;
    assert.strictEqual(await text(answer.body), "sum 6");
    assert.strictEqual(answer.trailers()["x-length"], "6");
  },
  // The client sends its body only when told to go on. Clients of HTTP/2 need not wait, and do not.
  async expectation(client, prefix) {
    if (client instanceof Http2) return;
    const request = client.start("POST", `${prefix}/hash`, { expect: "100-continue", "content-length": "5" });
    await request.went;
    request.end("hello");
    const answer = await request.answer;
    assert.strictEqual(answer.status, 200);
    assert((await text(answer.body)).startsWith("5 2cf24dba"));
  },
  // And is not told to where the body would be refused.
  async refusal(client, prefix) {
    const headers = { expect: "100-continue", "content-length": `${64 << 20}` };
    const request = client.start("POST", `${prefix}/hash`, headers);
    let went = false;
    request.went.then(() => { went = true; });
    const answer = await request.answer;
    request.on("error", () => {});
    assert.deepStrictEqual([answer.status, went], [413, false]);
    answer.body.resume();
    request.destroy();
  },
  async head(client, prefix) {
    const { status, headers, text } = await ask(client, "HEAD", `${prefix}/head`);
    assert.deepStrictEqual([status, headers["content-length"], headers["x-method"], text], [200, "12345", "HEAD", ""]);
    assert.strictEqual((await ask(client, "GET", `${prefix}/head`)).text.length, 12345);
  },
  async not_modified(client, prefix) {
    const known = await ask(client, "GET", `${prefix}/etag`, { "if-none-match": '"v1"' });
    assert.deepStrictEqual([known.status, known.headers.etag, known.text], [304, '"v1"', ""]);
    const fresh = await ask(client, "GET", `${prefix}/etag`);
    assert.deepStrictEqual([fresh.status, fresh.text], [200, "fresh"]);
  },
  async no_content(client, prefix) {
    const { status, text } = await ask(client, "GET", `${prefix}/no-content`);
    assert.deepStrictEqual([status, text], [204, ""]);
  },
  // Each event comes before the next one is asked for.
  async events(client, prefix) {
    const key = crypto.randomUUID();
    const { headers, body } = await start(client, `${prefix}/events?${key}`);
    assert.strictEqual(headers["content-type"], "text/event-stream");
    const next = pieces(body);
    for (let number = 0; number < 5; number += 1) {
      assert.strictEqual(await next(), `data: ${number}\n\n`);
      const order = number < 4 ? `${number + 1}` : "end";
      assert.strictEqual((await ask(client, "POST", `${prefix}/next?${key}`, {}, order)).text, "sent");
    }
    assert.strictEqual(await next(), undefined);
  },
  // A client that leaves in the middle of a response has left the backend as well.
  async leaving(client, prefix) {
    const key = crypto.randomUUID();
    const request = client.start("GET", `${prefix}/endless?${key}`);
    request.end();
    const { body } = await request.answer;
    assert.strictEqual(await pieces(body)(), "still here");
    request.on("error", () => {});
    request.destroy();
    assert.strictEqual((await ask(client, "GET", `${prefix}/left?${key}`)).text, "gone");
  },
  async headers(client, prefix) {
    const { headers, text } = await ask(client, "GET", `${prefix}/headers`, {
      "x-forwarded-for": "203.0.113.9", "cookie": "c=3; d=4", "accept-language": "de",
    });
    assert.deepStrictEqual(headers["set-cookie"], ["a=1", "b=2"]);
    assert.strictEqual(headers["x-answer"], "42");
    const sent = JSON.parse(text);
    assert.deepStrictEqual(
      [sent["x-forwarded-for"], sent.cookie, sent["accept-language"]], ["127.0.0.1", "c=3; d=4", "de"]);
  },
  async many(client, prefix) {
    const asked = Array.from({ length: 50 }, () => ask(client, "GET", `${prefix}/head`));
    for (const { text } of await Promise.all(asked)) assert.strictEqual(text.length, 12345);
  },
};

(async () => {
  for (const { url, version, prefix } of JSON.parse(process.argv[2])) {
    const client = version === 1 ? new Http1(url) : new Http2(url);
    for (const [name, check] of Object.entries(checks)) {
      const late = new Promise((_, reject) => setTimeout(reject, 20_000, new Error("late")).unref());
      await Promise.race([check(client, prefix), late]).catch((error) => {
        throw new Error(`${name} over HTTP/${version} at ${url}${prefix}`, { cause: error });
      });
    }
    client.close();
  }
  console.log("all well");
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
