// Every page of the console, at two widths, in both colour schemes. ORIGIN, PASSWORD and PICTURES are filled in by the test.
await page.setViewportSize({ width: 1280, height: 860 });
const shot = async (name) => {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
};
const fits = async (name) => {
  const [wide, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (wide > width) console.log(`${name} is wider than ${width}: ${wide}`);
};
await page.goto(ORIGIN + "/");
await shot("sign-in");
await page.fill("[name=name]", "ann");
await page.fill("[name=password]", PASSWORD);
await page.keyboard.press("Enter");
await page.waitForSelector("nav a[aria-current]");

// Figures move without a reload.
const line = () => page.locator("polyline").first().getAttribute("points");
const before = await line();
await page.waitForFunction((before) => document.querySelector("polyline").getAttribute("points") !== before, before);
console.log("moved: " + ((await line()) !== before));

const names = ["overview", "sessions", "messages", "findings", "audit", "routes", "relay", "revocations", "certificates", "doctor", "configuration"];
let walked = 0;
for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]]) {
  await page.setViewportSize({ width, height: width > 400 ? 860 : 844 });
  await page.emulateMedia({ colorScheme });
  for (const name of names) {
    await page.goto(ORIGIN + (name === "overview" ? "/" : "/" + name));
    await page.waitForSelector("main h1");
    await fits(name);
    await shot(`${name}-${width}`);
    walked += 1;
  }
}
console.log(`walked ${walked} pages`);
await page.setViewportSize({ width: 1280, height: 860 });
await page.emulateMedia({ colorScheme: "light" });

// What an attacker said stays text.
await page.goto(ORIGIN + "/findings?route=fields");
await page.locator("code", { hasText: "<img src=x onerror" }).first().waitFor();
await page.locator("tbody a").first().click();
await page.locator("code", { hasText: "<img src=x onerror" }).first().waitFor();
await fits("session");
await shot("session-1280");

// Messages as they come: attacks stay text, and a pause holds them.
await page.goto(ORIGIN + "/messages");
await page.selectOption("[name=route]", "plain");
await page.getByRole("button", { name: "Look on" }).click();
await page.locator(".said pre", { hasText: "<img src=x onerror=console.log('struck')>" }).first().waitFor();
await shot("tail-1280");
await fits("tail");
await page.getByRole("button", { name: "Pause" }).click();
const held = await page.locator(".tail tbody").innerText();
await page.locator(".bar output", { hasText: /paused, [1-9]/ }).waitFor();
console.log("held: " + (held === (await page.locator(".tail tbody").innerText())));
await page.getByRole("button", { name: "Go on" }).click();
await page.waitForFunction((held) => document.querySelector(".tail tbody").innerText !== held, held);
await page.setViewportSize({ width: 390, height: 844 });
await page.emulateMedia({ colorScheme: "dark" });
await fits("narrow tail");
await shot("tail-390");
await page.setViewportSize({ width: 1280, height: 860 });
await page.emulateMedia({ colorScheme: "light" });
await page.goto(ORIGIN + "/messages?session=999999");
await page.locator(".bar output", { hasText: "no session 999999 is live" }).waitFor();
await page.goto(ORIGIN + "/revocations");
await page.fill("[name=subject]", "<img src=x onerror=console.log('struck')>");
await page.getByRole("button", { name: "Revoke" }).click();
await page.locator("dialog button[value=yes]").click();
await page.locator("td code", { hasText: "<img src=x onerror" }).first().waitFor();
console.log("pictures of an attack: " + (await page.locator("main img").count()));

// By keyboard alone: a session is ended after a question.
await page.goto(ORIGIN + "/sessions?route=chat");
await page.locator("tbody button").first().focus();
await page.keyboard.press("Enter");
await page.waitForSelector("dialog[open]");
await shot("confirm-1280");
await page.locator("dialog button[value=yes]").focus();
await page.keyboard.press("Enter");
await page.waitForSelector("[role=status]");
console.log("kicked: " + (await page.locator("[role=status]").textContent()));

await page.goto(ORIGIN + "/relay");
for (const name of ["office", "alice", "echo"]) await page.locator("td", { hasText: name }).first().waitFor();
await page.goto(ORIGIN + "/certificates");
await page.locator("td", { hasText: "chat.example.com" }).first().waitFor();
console.log("seen: office, alice, echo, chat.example.com");

await page.goto(ORIGIN + "/audit");
await page.getByRole("button", { name: "Verify the chain" }).click();
await page.waitForSelector("[role=status]");
console.log("verified: " + (await page.locator("[role=status]").textContent()));
await page.goto(ORIGIN + "/doctor");
await page.getByRole("button", { name: "Look" }).click();
await page.getByText("targets that take connections: 1").waitFor();
await fits("doctor");
await shot("examined-1280");
await page.goto(ORIGIN + "/findings?route=fields");
await page.locator("tbody a[href^='/findings/']").first().click();
await page.locator("#lines", { hasText: "exclude:" }).waitFor();
console.log("exclusion for a policy: " + (await page.locator("#lines").textContent()).startsWith("policies:\n  - name: \"fields\""));
await fits("finding");
await shot("finding-1280");
await page.setViewportSize({ width: 390, height: 844 });
await fits("narrow finding");
await shot("finding-390");
await page.setViewportSize({ width: 1280, height: 860 });
await page.goto(ORIGIN + "/findings?route=asked");
await page.locator("tbody a[href^='/findings/']").first().click();
await page.locator("#lines", { hasText: "ARGS:q" }).waitFor();
console.log("exclusion for a route: " + (await page.locator("#lines").textContent()).startsWith("routes:\n  - name: \"asked\""));
await fits("finding in a request");
await page.goto(ORIGIN + "/configuration");
await page.getByRole("button", { name: "Check the files" }).click();
await page.getByText("They can be used").waitFor();
await page.getByRole("button", { name: "Sign out" }).click();
await page.waitForSelector("[name=password]");
await page.goto(ORIGIN + "/sessions");
await page.waitForSelector("[name=password]");
console.log("signed out");
