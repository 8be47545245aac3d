//! An assessment as people read it.

use std::fmt;

use super::assessment::{Assessment, Row, Setting, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Partly => "partly",
            Self::NotMet => "not met",
            Self::Outside => "outside",
        })
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f, "{}", self.note)?;
        for row in &self.requirements {
            writeln!(f, "\n{row}")?;
        }
        let count = |verdict| self.requirements.iter().filter(|row| row.verdict == verdict).count();
        write!(f, "\n{} requirements: ", self.requirements.len())?;
        let [met, partly, not_met, outside] =
            [Verdict::Met, Verdict::Partly, Verdict::NotMet, Verdict::Outside].map(count);
        write!(
            f,
            "{met} met, {partly} partly, {not_met} not met, {outside} outside a gateway's configuration"
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8} {}: {}", self.verdict, self.id, self.text)?;
        if let Some(reason) = self.reason {
            write!(f, "\n         {reason}")?;
        }
        for setting in &self.settings {
            write!(f, "\n         {setting}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.holds { "+ " } else { "- " })?;
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            write!(f, "{file}:{line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "`{}`{}: ", self.path, if self.default && self.holds { " by default" } else { "" })?;
        }
        f.write_str(&self.says)?;
        match self.help {
            "" => Ok(()),
            help => write!(f, " ({help})"),
        }
    }
}
