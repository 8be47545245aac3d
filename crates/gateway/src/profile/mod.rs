//! What others ask of a gateway, mapped to the settings that meet it: each profile is a table of requirements, each
//! requirement a row of checks on the typed configuration. A mapping says nothing about a certification.

mod assessment;
mod asvs;
mod checks;
mod finding;
mod owasp;
mod pci;
mod requirement;
mod show;
mod stig;
#[cfg(test)]
mod tests;
mod view;

use wicketgate_config::Report;

pub use assessment::{Assessment, Row, Setting, Verdict};
pub use requirement::Requirement;

use crate::config::Config;

/// Whose requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// OWASP Application Security Verification Standard 5.0, section V4.4.
    Asvs,
    /// OWASP WebSocket Security Cheat Sheet.
    Owasp,
    /// PCI DSS 4.0.1.
    Pci,
    /// DISA Application Layer Gateway SRG.
    Stig,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Asvs, Self::Owasp, Self::Pci, Self::Stig];

    /// Where its requirements come from.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Asvs => "OWASP ASVS 5.0, V4.4 WebSocket",
            Self::Owasp => "OWASP WebSocket Security Cheat Sheet",
            Self::Pci => "PCI DSS 4.0.1, requirements that a gateway's configuration can meet",
            Self::Stig => {
                "DISA Application Layer Gateway SRG, requirements that a gateway's configuration can meet"
            }
        }
    }

    /// Its rows.
    pub fn requirements(self) -> &'static [Requirement] {
        match self {
            Self::Asvs => asvs::REQUIREMENTS,
            Self::Owasp => owasp::REQUIREMENTS,
            Self::Pci => pci::REQUIREMENTS,
            Self::Stig => stig::REQUIREMENTS,
        }
    }

    /// How `config`, which was read with `report`, measures up to it.
    pub fn assess(self, config: &Config, report: &Report) -> Assessment {
        let requirements = self.requirements().iter().map(|row| Row::new(row, config, report));
        Assessment::new(self.title(), requirements.collect())
    }
}
