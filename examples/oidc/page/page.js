// Logs in by authorization code and PKCE (RFC 7636), and opens a WebSocket with the access token.

const at = (id) => document.getElementById(id);
const { issuer, client } = await (await fetch("settings.json")).json();
const here = location.origin + "/";
let token, expires, socket;

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const discovered = async () => (await fetch(issuer + "/.well-known/openid-configuration")).json();

async function logIn() {
  const [verifier, state] = [random(), random()];
  sessionStorage.setItem("login", JSON.stringify({ verifier, state }));
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const { authorization_endpoint } = await discovered();
  location.assign(authorization_endpoint + "?" + new URLSearchParams({
    client_id: client, response_type: "code", scope: "openid", redirect_uri: here, state, prompt: "login",
    code_challenge: challenge, code_challenge_method: "S256",
  }));
}

/** Back from the provider: the code, and the verifier that only this page knows, give the token. */
async function exchange(answer) {
  const { verifier, state } = JSON.parse(sessionStorage.getItem("login") ?? "{}");
  sessionStorage.removeItem("login");
  history.replaceState(null, "", "/");
  if (answer.get("state") !== state || answer.get("iss") !== issuer) throw new Error("this is not the answer to our login");
  if (answer.has("error")) throw new Error(answer.get("error_description") ?? answer.get("error"));
  const { token_endpoint } = await discovered();
  const reply = await fetch(token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code", client_id: client, redirect_uri: here, code: answer.get("code"),
      code_verifier: verifier,
    }),
  });
  if (!reply.ok) throw new Error(`the provider gives no token: ${reply.status}`);
  return (await reply.json()).access_token;
}

/** What the token says, to be shown. It is the gateway that verifies it. */
function claims() {
  const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
}

function state(name, text) {
  at("state").dataset.state = name;
  at("state").textContent = text;
  at("send").disabled = name !== "open";
}

function line(text, from) {
  const item = document.createElement("li");
  if (from) item.append(Object.assign(document.createElement("b"), { textContent: from }));
  else item.className = "event";
  item.append(text);
  at("lines").append(item);
  item.scrollIntoView();
}

function count() {
  at("left").textContent = Math.max(0, Math.ceil(expires - Date.now() / 1000)) + " s";
}

function open() {
  let opened = false;
  state("wait", "connecting");
  at("code").textContent = "–";
  at("again").disabled = true;
  // A page can set no header but this one. The gateway takes `bearer` and the token out; "chat" is what the backend
  // speaks, and browsers want one of those that they offered to be chosen.
  socket = new WebSocket(here.replace("http", "ws") + "chat", ["chat", "bearer", token]);
  socket.onopen = () => {
    opened = true;
    state("open", "connected");
    line("The session is open.");
  };
  socket.onmessage = ({ data }) => {
    const { from, text } = JSON.parse(data);
    line(text, from);
  };
  socket.onclose = ({ code, reason }) => {
    const how = opened ? `${code} ${reason}`.trim() : "refused";
    state("closed", opened ? "closed" : "refused");
    at("code").textContent = how;
    count();
    line(opened ? `The gateway closed the session: ${how}.` : "The gateway let nobody in with this token.");
    at("again").disabled = false;
  };
}

at("login").onclick = logIn;
at("again").onclick = open;
at("saying").onsubmit = (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN || !at("text").value) return;
  socket.send(at("text").value);
  at("text").value = "";
};

const answer = new URLSearchParams(location.search);
if (answer.has("state")) {
  try {
    token = await exchange(answer);
    const { sub, exp } = claims();
    at("who").textContent = sub;
    expires = exp;
    count();
    setInterval(count, 250);
    open();
  } catch (error) {
    line(error.message);
  }
}
