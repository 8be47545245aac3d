// Starts an OpenID provider, a backend and the gateway before it on loopback ports, and tells where the page is.
//
// Environment: GATEWAY, BACKEND, PROVIDER (addresses), SECONDS (life of a token), WICKETGATE (the program).
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { backend } from "./backend.mjs";
import { openidProvider } from "./provider.mjs";

const { GATEWAY = "127.0.0.1:8080", BACKEND = "127.0.0.1:9000", PROVIDER = "127.0.0.1:9999" } = process.env;
const seconds = Number(process.env.SECONDS ?? 60);
const page = `http://${GATEWAY}/`;
const issuer = `http://${PROVIDER}`;

function program() {
  if (process.env.WICKETGATE) return process.env.WICKETGATE;
  const built = ["release", "debug"].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/wicketgate`, import.meta.url)));
  return built.find(existsSync) ?? "wicketgate";
}

function fail(what) {
  console.error(what);
  process.exit(1);
}

const listen = (server, address) => new Promise((listening) => {
  const [host, port] = address.split(":");
  server.once("error", (error) => fail(`${error.message}: say another one by GATEWAY, BACKEND or PROVIDER`));
  server.listen(Number(port), host, listening);
});

await listen(openidProvider({ issuer, page, seconds }), PROVIDER);
await listen(backend({ issuer }), BACKEND);

const gateway = spawn(program(), ["run"], {
  cwd: fileURLToPath(new URL(".", import.meta.url)),
  env: { ...process.env, GATEWAY, BACKEND, PROVIDER },
  stdio: ["ignore", "inherit", "inherit"],
});
gateway.on("error", (error) => fail(`${error.message}: build it with \`cargo build\`, or say by WICKETGATE where it is`));
gateway.on("exit", (code) => process.exit(code ?? 1));
// A terminal's Ctrl-C reaches the gateway by itself. It drains, and its end is ours.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => gateway.kill("SIGTERM"));

console.log(`
  page      ${page}
  provider  ${issuer}/.well-known/openid-configuration
  tokens    live for ${seconds} s, and the session with them

Ctrl-C ends it.`);
