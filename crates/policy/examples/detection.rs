//! What the guard finds in files of attacks and of ordinary messages: recall and false positives.
//!
//! Each line of a file is a JSON object with `category`, `source`, `strength`, `text` and `message`; attacks have the
//! strength `strong` or `weak`, all else is ordinary. Every text and every key of `message` is inspected, as the gateway does.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::Deserialize;
use serde_json::Value;
use wicketgate_policy::guard::{Guard, Part, Scan, Sensitivity, Settings, reference};

#[derive(Deserialize)]
struct Line {
    category: String,
    source: String,
    strength: String,
    text: String,
    message: String,
}

impl Line {
    fn is_attack(&self) -> bool {
        matches!(self.strength.as_str(), "strong" | "weak")
    }

    /// Every second line, by its text: rules are tuned on one half, and the other says whether they are general.
    fn is_held_out(&self) -> bool {
        self.text.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte)).count_ones() % 2
            == 1
    }
}

#[derive(Default, Clone, Copy)]
struct Count {
    flagged: usize,
    all: usize,
    flagged_held: usize,
    held: usize,
}

impl Count {
    fn add(&mut self, is_flagged: bool, is_held: bool) {
        self.all += 1;
        self.flagged += usize::from(is_flagged);
        self.held += usize::from(is_held);
        self.flagged_held += usize::from(is_flagged && is_held);
    }

    fn cells(&self) -> String {
        let part = |flagged: usize, all: usize| 100.0 * flagged as f64 / all.max(1) as f64;
        let rest = part(self.flagged - self.flagged_held, self.all - self.held);
        let held = part(self.flagged_held, self.held);
        format!(
            "{:>6} | {:>6} | {:>6.2} | {rest:>6.2} | {held:>6.2}",
            self.all,
            self.flagged,
            part(self.flagged, self.all)
        )
    }
}

/// What is shown besides the table.
#[derive(Default)]
struct Arguments {
    files: Vec<String>,
    show: String,
    category: Option<String>,
    sensitivity: Sensitivity,
    rules: bool,
    /// Prints the page of all rules and nothing else.
    reference: bool,
}

impl Arguments {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut read = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                "--show" => read.show = value()?,
                "--category" => read.category = Some(value()?),
                "--rules" => read.rules = true,
                "--reference" => read.reference = true,
                "--sensitivity" => read.sensitivity = serde_json::from_value(Value::String(value()?))?,
                _ => read.files.push(argument),
            }
        }
        match read.files.is_empty() && !read.reference {
            true => {
                Err("which files? detection [--show missed|flagged] [--category NAME] [--rules] FILES".into())
            }
            false => Ok(read),
        }
    }
}

fn inspect(guard: &Guard, value: &Value, scan: &mut Scan) {
    match value {
        Value::String(text) => guard.inspect(Part::Value, text.as_bytes(), scan),
        Value::Array(values) => values.iter().for_each(|value| inspect(guard, value, scan)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            guard.inspect(Part::Key, key.as_bytes(), scan);
            inspect(guard, value, scan);
        }),
        _ => {}
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    if arguments.reference {
        print!("{}", reference());
        return Ok(());
    }
    let guard = Guard::new(&Settings { sensitivity: arguments.sensitivity, ..Settings::default() });
    let mut scan = Scan::default();
    let mut counts: BTreeMap<[String; 2], Count> = BTreeMap::new();
    let mut rules: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for file in &arguments.files {
        for line in BufReader::new(File::open(file)?).lines() {
            let line: Line = serde_json::from_str(&line?)?;
            if arguments.category.as_ref().is_some_and(|wanted| *wanted != line.category) {
                continue;
            }
            scan.reset();
            inspect(&guard, &serde_json::from_str(&line.message)?, &mut scan);
            let (is_attack, is_flagged) = (line.is_attack(), scan.is_over(guard.threshold()));
            let kind = if is_attack { "attack" } else { "ordinary" };
            let category = format!("{kind} | {} | {}", line.category, line.strength);
            for source in ["all", &line.source] {
                let key = [category.clone(), source.to_owned()];
                counts.entry(key).or_default().add(is_flagged, line.is_held_out());
            }
            let total = [format!("{kind} | all | {}", line.strength), "all".into()];
            counts.entry(total).or_default().add(is_flagged, line.is_held_out());
            if is_flagged {
                for hit in scan.hits() {
                    rules.entry(hit.rule).or_default()[usize::from(!is_attack)] += 1;
                }
            }
            let is_shown = match arguments.show.as_str() {
                "missed" => line.strength == "strong" && !is_flagged,
                "flagged" => !is_attack && is_flagged,
                _ => false,
            };
            if is_shown {
                let found: Vec<_> = scan
                    .hits()
                    .iter()
                    .map(|hit| format!("{} {} {:?}", hit.rule, hit.score, hit.excerpt()))
                    .collect();
                let text: String = line.text.chars().take(200).collect();
                println!("{} {} {text:?} {}", line.category, line.source, found.join(", "));
            }
        }
    }
    println!(
        "| kind | category | strength | source | texts | flagged | % | % tuned half | % held-out half |"
    );
    println!("|---|---|---|---|---:|---:|---:|---:|---:|");
    for ([category, source], count) in &counts {
        println!("| {category} | {source} | {} |", count.cells());
    }
    if arguments.rules {
        println!("\n| rule | attacks | ordinary |\n|---|---:|---:|");
        for (rule, [attacks, ordinary]) in rules {
            println!("| {rule} | {attacks} | {ordinary} |");
        }
    }
    Ok(())
}
