//! What message policy costs: each step, each sub-protocol, the guard on ordinary and hostile text, and both beside libmodsecurity.

mod guard;
mod messages;
mod packs;
mod steps;
mod waf;

use anyhow::Result;

/// Measures all, and gives the tables.
pub(crate) fn run() -> Result<String> {
    Ok(format!(
        "## Steps\n\nA whole policy judges a message: it is decoded, and goes through the step. `more` is what the step adds to decoding it alone.\n\n\
         {}\n## Sub-protocols\n\nTwo ends say something and its answer, over and over, with ids of their own: decoded, followed and asked by the pack's own rules, without a step.\n\n\
         {}\n## The guard alone\n\n{}\n## Beside libmodsecurity\n\n{}",
        steps::run()?,
        packs::run()?,
        guard::run()?,
        waf::run()?
    ))
}
