// A small OpenID provider for the demonstration: whoever gives a name is logged in, without a password.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

// What the page asks a token for, and the audience that the gateway asks of tokens.
const CHAT = { indicator: "urn:example:chat", audience: "chat" };

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const signing = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "demonstration" };

/** A provider at `issuer` whose access tokens live for `seconds`, and whose only client is the page at this address. */
export function openidProvider({ issuer, page, seconds }) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "page", token_endpoint_auth_method: "none", redirect_uris: [page],
      grant_types: ["authorization_code"], response_types: ["code"], id_token_signed_response_alg: "ES256",
    }],
    // The page fetches its token from another origin.
    clientBasedCORS: (_, origin) => origin === new URL(page).origin,
    cookies: { keys: [randomBytes(32).toString("hex")] },
    jwks: { keys: [signing] },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => CHAT.indicator,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "", audience: CHAT.audience, accessTokenTTL: seconds, accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
    ttl: { AccessToken: seconds, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
    // The page is the provider's own: nobody is asked for consent.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid");
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  return createServer((request, response) => {
    if (!request.url.startsWith("/login/")) return answer(request, response);
    return login(provider, request, response).catch((error) => {
      response.statusCode = 400;
      response.end(String(error.message));
    });
  });
}

async function login(provider, request, response) {
  await provider.interactionDetails(request, response);
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(FORM);
    return;
  }
  let form = "";
  for await (const piece of request.setEncoding("utf8")) form += piece;
  const name = new URLSearchParams(form).get("name")?.trim().slice(0, 24);
  if (!/^[\w .@-]+$/.test(name ?? "")) throw new Error("a name of letters, digits, spaces and . @ - _, please");
  await provider.interactionFinished(request, response, { login: { accountId: name } });
}

const FORM = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in</title>
<link rel="icon" href="data:,">
<style>
body { font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0; }
form { display: grid; gap: .75rem; width: min(20rem, 90vw); }
h1 { font-size: 1.3rem; margin: 0; } p { margin: 0; opacity: .7; }
input, button { font: inherit; padding: .5rem .75rem; }
</style>
<form method="post">
  <h1>The OpenID provider</h1>
  <p>It knows everybody, and asks for no password.</p>
  <input name="name" aria-label="Name" placeholder="Your name" maxlength="24" required autofocus autocomplete="username">
  <button>Log in</button>
</form>
</html>`;
