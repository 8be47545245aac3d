// The backend of the demonstration: the page, and a chat room for whomever the gateway lets through.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const file = (name) => readFileSync(new URL(`page/${name}`, import.meta.url));
const files = {
  "/": ["text/html; charset=utf-8", file("index.html")],
  "/page.js": ["text/javascript; charset=utf-8", file("page.js")],
  "/page.css": ["text/css; charset=utf-8", file("page.css")],
};

/** A server of the page, which logs in at `issuer`, and of the room at /chat. */
export function backend({ issuer }) {
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    const settings = ["application/json", JSON.stringify({ issuer, client: "page" })];
    const [type, content] = (path === "/settings.json" ? settings : files[path]) ?? ["text/plain", "not here\n"];
    if (content === "not here\n") response.statusCode = 404;
    response.setHeader("content-type", type);
    response.setHeader("cache-control", "no-store");
    response.end(content);
  });
  // The token is not among the subprotocols any more: the gateway took it out.
  const handleProtocols = (offered) => (offered.has("chat") ? "chat" : false);
  const room = new WebSocketServer({ server, path: "/chat", maxPayload: 4096, handleProtocols });
  let guests = 0;
  room.on("connection", (socket) => {
    guests += 1;
    const from = `guest ${guests}`;
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => {
      const line = JSON.stringify({ from, text: data.toString() });
      for (const other of room.clients) if (other.readyState === other.OPEN) other.send(line);
    });
  });
  return server;
}
