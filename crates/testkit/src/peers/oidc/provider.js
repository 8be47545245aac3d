// An OpenID provider that a test commands. ISSUER_PORT serves it as others see it: counted, delayed, up or down.
// CONTROL_PORT takes the commands and serves the provider too, neither counted nor delayed, so that a test has its
// tokens also while the provider is down.
const { generateKeyPair, randomBytes, randomUUID } = require("node:crypto");
const { createServer } = require("node:http");
const { promisify } = require("node:util");
const { Provider } = require("oidc-provider");

const { ISSUER_PORT, CONTROL_PORT } = process.env;
const issuer = `http://127.0.0.1:${ISSUER_PORT}`;
const control = `http://127.0.0.1:${CONTROL_PORT}`;
const [secret, cookieKey] = [randomBytes(16).toString("hex"), randomBytes(32).toString("hex")];

// Resources. What a token is to be is said by the resource it is asked for: urn:token:JSON.

const prefix = "urn:token:";
const resource = (wanted) => prefix + encodeURIComponent(JSON.stringify(wanted));
const wanted = (indicator) => {
  if (!indicator.startsWith(prefix)) throw new Error(`not a resource of this provider: ${indicator}`);
  return JSON.parse(decodeURIComponent(indicator.slice(prefix.length)));
};
const served = (indicator) => {
  const { audience, alg, seconds, scope } = wanted(indicator);
  const format = alg ? { accessTokenFormat: "jwt", jwt: { sign: { alg } } } : { accessTokenFormat: "opaque" };
  return { audience, scope, accessTokenTTL: seconds, ...format };
};
const life = (_, token) => token.resourceServer?.accessTokenTTL ?? 600;

// Clients: "browser" is public, for authorization codes, "console" takes them with the one secret, with which every other name is a
// service.

let redirects = [];
const groups = new Map();
const client = (id) => id === "browser"
  ? {
      client_id: id, redirect_uris: redirects, token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"], response_types: ["code"],
    }
  : id === "console" ? {
      client_id: id, client_secret: secret, redirect_uris: redirects, token_endpoint_auth_method: "client_secret_basic",
      grant_types: ["authorization_code"], response_types: ["code"],
      post_logout_redirect_uris: redirects.map((uri) => new URL("/sign-in", uri).href),
    }
  : {
      client_id: id, client_secret: secret, redirect_uris: [], response_types: [],
      grant_types: ["client_credentials"], token_endpoint_auth_method: "client_secret_basic",
    };

// Storage, which outlives a rotation of keys.

const stored = new Map();
class Storage {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async find(id) { return this.model === "Client" ? client(id) : stored.get(this.key(id)); }
  async findByUid(uid) { return [...stored.values()].find((one) => one.kind === this.model && one.uid === uid); }
  async findByUserCode() { return undefined; }
  async upsert(id, payload) { stored.set(this.key(id), payload); }
  async destroy(id) { stored.delete(this.key(id)); }
  async consume(id) { stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(grantId) {
    for (const [key, payload] of stored) if (payload.grantId === grantId) stored.delete(key);
  }
}

// Keys. A provider reads its keys once, so each rotation makes a new one over the same storage.

let keys = [];
let provider;
let answer;

async function freshKeys() {
  const kinds = [["RS256", "rsa", { modulusLength: 2048 }], ["ES256", "ec", { namedCurve: "P-256" }]];
  return Promise.all(kinds.map(async ([alg, type, options]) => {
    const { privateKey } = await promisify(generateKeyPair)(type, options);
    return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: randomUUID() };
  }));
}

/** The first key of an algorithm signs. */
async function rotate(kept) {
  keys = [...await freshKeys(), ...kept];
  provider = new Provider(issuer, {
    adapter: Storage,
    jwks: { keys },
    cookies: { keys: [cookieKey] },
    clientBasedCORS: () => true,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, indicator) => served(indicator),
        useGrantedResource: () => true,
      },
    },
    // An introspected service has no `sub` unless we say so; its JWT has one by itself.
    extraTokenClaims: (_, token) => ({
      ...(token.accountId ? {} : { sub: token.clientId }),
      // Whoever only signs in asks for no resource.
      ...(token.resourceServer ? wanted(token.resourceServer.identifier()).claims : {}),
    }),
    findAccount: (_, accountId) => ({
      accountId, claims: () => ({ sub: accountId, groups: groups.get(accountId) ?? [] }),
    }),
    // Whoever asks for groups finds them in the token itself.
    claims: { openid: ["sub"], groups: ["groups"] },
    conformIdTokenClaims: false,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    // The only browser client is our own: nobody is asked for consent.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid groups");
      for (const [indicator, { scope }] of Object.entries(oidc.resourceServers ?? {})) {
        grant.addResourceScope(indicator, scope);
      }
      await grant.save();
      return grant;
    },
    ttl: {
      AccessToken: life, ClientCredentials: life, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600,
      Grant: 600,
    },
  });
  answer = provider.callback();
}

/** A login without a password: a form with a name. */
async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method === "POST") {
    const accountId = new URLSearchParams(await body(request)).get("login");
    return provider.interactionFinished(request, response, { login: { accountId } });
  }
  const name = (params.login_hint ?? "").replace(/[^\w.@-]/g, "");
  response.setHeader("content-type", "text/html");
  response.end(`<!doctype html><title>Login</title><form method="post">
<input name="login" value="${name}" aria-label="Name"><button id="login">Log in</button></form>`);
}

async function body(request) {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += piece;
  return text;
}

// The provider as others see it.

const endpoints = {
  "/.well-known/openid-configuration": "discovery", "/jwks": "jwks", "/auth": "authorization", "/token": "token",
  "/token/introspection": "introspection", "/token/revocation": "revocation", "/me": "userinfo",
};
const requests = {};
let delay = 0;
const sleep = (ms) => new Promise((wake) => { if (ms !== null) setTimeout(wake, ms); });

async function serve(request, response) {
  if (request.url.startsWith("/interaction/")) return interact(request, response);
  return answer(request, response);
}

/** What fails is told to the test and to whoever asked. */
const guarded = (handler) => (request, response) => handler(request, response).catch((error) => {
  console.error(error);
  response.statusCode = 500;
  response.end(JSON.stringify({ error: String(error) }));
});

const front = createServer(guarded(async (request, response) => {
  const endpoint = endpoints[request.url.split("?")[0]] ?? "other";
  requests[endpoint] = (requests[endpoint] ?? 0) + 1;
  if (delay !== 0) await sleep(delay);
  return serve(request, response);
}));

const listen = (server, port) => new Promise((listening, failed) => {
  server.once("error", failed);
  server.listen(port, "127.0.0.1", listening);
});

/** Asks the provider as a service. */
async function ask(path, name, form) {
  const credentials = [name, secret].map(encodeURIComponent).join(":");
  const reply = await fetch(control + path, {
    method: "POST", body: new URLSearchParams(form),
    headers: { authorization: "Basic " + Buffer.from(credentials).toString("base64") },
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${text}`);
  return text ? JSON.parse(text) : {};
}

const commands = {
  async token({ subject, ...rest }) {
    const form = { grant_type: "client_credentials", resource: resource(rest), scope: rest.scope };
    return ask("/token", subject, form);
  },
  revoke: ({ token }) => ask("/token/revocation", "gateway", { token }),
  resource: async (rest) => resource(rest),
  rotate: async ({ keep }) => rotate(keep ? keys : []),
  delay: async ({ ms }) => { delay = ms; },
  redirects: async ({ uris }) => { redirects = uris; },
  groups: async ({ account, all }) => { groups.set(account, all); },
  requests: async () => requests,
  secret: async () => secret,
  up: () => listen(front, ISSUER_PORT),
  down: () => new Promise((closed) => { front.close(closed); front.closeAllConnections(); }),
};

const commanded = createServer(guarded(async (request, response) => {
  const name = request.url.match(/^\/command\/(\w+)$/)?.[1];
  if (!name) return serve(request, response);
  const done = await commands[name](JSON.parse(await body(request)));
  response.setHeader("connection", "close");
  response.end(JSON.stringify(done ?? null));
}));

rotate([]).then(() => listen(front, ISSUER_PORT)).then(() => listen(commanded, CONTROL_PORT)).catch((error) => {
  console.error(error);
  process.exit(1);
});
