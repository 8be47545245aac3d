// The demonstration's page as two people use it. URL, SWITCHES and PICTURES are filled in by the test.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM, headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", ...SWITCHES],
});
try {
  const own = await browser.newContext({ ignoreHTTPSErrors: true });
  const open = async () => {
    const page = await own.newPage();
    page.on("pageerror", (error) => console.log("page error: " + error.message));
    page.on("console", (message) => console.log("page says: " + message.text()));
    await page.goto(URL);
    await page.locator("#state[data-state=open]").waitFor();
    return page;
  };
  const [ada, ben] = [await open(), await open()];
  console.log("protocol: " + await ada.locator("#http").textContent());
  await ada.fill("#name", "Ada");
  await ada.press("#name", "Enter");
  await ben.getByText("is now Ada").waitFor();
  await ada.fill("#text", "Good morning, is the gate open?");
  await ada.click("#send");
  await ben.locator("#lines li", { hasText: "is the gate open" }).waitFor();
  await ada.locator("#lines li.mine", { hasText: "is the gate open" }).waitFor();
  await ben.fill("#text", "Only the small door in it.");
  await ben.press("#text", "Enter");
  await ada.locator("#lines li", { hasText: "small door" }).waitFor();
  await ada.click("#all");
  await ada.waitForFunction(() => document.querySelectorAll("#attacks .good, #attacks .bad").length === 5);
  console.log("attacks: " + await ada.locator("#attacks .good").count() + " of 5");
  await ada.click("#measure");
  await ada.locator("#measure:not([disabled])").waitFor();
  console.log("echoes: " + await ada.locator("#rate").textContent());
  for (const [name, colorScheme, width] of [["light", "light", 1200], ["dark", "dark", 1200], ["narrow", "light", 390]]) {
    await ada.emulateMedia({ colorScheme });
    await ada.setViewportSize({ width, height: 900 });
    if (PICTURES) await ada.screenshot({ path: `${PICTURES}-${name}.png`, fullPage: true });
    console.log(width + " wide: " + await ada.evaluate(() => document.documentElement.scrollWidth));
  }
} finally {
  await browser.close();
}
