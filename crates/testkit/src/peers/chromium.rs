//! Headless Chromium, driven by playwright-core.

use std::{fs, path::Path, process::ExitStatus, time::Duration};

use anyhow::Result;

use super::{node, system};
use crate::{
    dir::Dir,
    process::{Process, Ready},
};

/// Opens the browser, gives it to the test's script as `page`, and closes it whatever happens.
const FRAME: &str = r#"
const { chromium } = require("playwright-core");
(async () => {
  const context = await chromium.launchPersistentContext(process.env.PROFILE, {
    executablePath: process.env.CHROMIUM, headless: true, ignoreHTTPSErrors: process.env.IGNORE === "1",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  const page = await context.newPage();
  page.on("console", (message) => console.log("page: " + message.text()));
  page.on("pageerror", (error) => console.log("page error: " + error.message));
  try {
    await (async () => { SCRIPT })();
  } finally {
    await context.close();
  }
})().catch((error) => { console.error(error); process.exit(1); });
"#;

/// What a script in the browser came to.
#[derive(Debug)]
pub struct Visit {
    /// How Node ended: with 1 if the script threw.
    pub status: ExitStatus,
    /// What the script and the page wrote to their consoles.
    pub output: String,
}

/// Runs JavaScript that has `page`, a Playwright page in a fresh profile, and `context` at hand.
///
/// With `any_certificate` the browser takes any certificate of the server.
pub async fn visit(script: &str, any_certificate: bool, deadline: Duration) -> Result<Visit> {
    let dir = Dir::new()?;
    let file = dir.write("visit.cjs", FRAME.replace("SCRIPT", script))?;
    let profile = dir.join("profile");
    fs::create_dir(&profile)?;
    let mut command = node::script(&file, None)?;
    command.env("PROFILE", &profile).env("CHROMIUM", system("chromium")?);
    command.env("IGNORE", if any_certificate { "1" } else { "0" }).env("HOME", dir.path());
    let process = Process::spawn(command, Ready::Started).await?;
    let (status, output) = process.finish(deadline).await?;
    Ok(Visit { status, output })
}

/// Where a visit's script may write a screenshot: `page.screenshot({ path: ... })`.
pub fn screenshot(path: &Path) -> String {
    format!("await page.screenshot({{ path: {:?} }});", path.display().to_string())
}
