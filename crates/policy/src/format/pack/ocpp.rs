//! OCPP-J 1.6 and 2.0.1: calls of charging stations and of their management system, each answered once.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};

use super::breach::Named;
use super::names::{Names, listed};
use super::talk::{Key, other};
use super::{Breach, Heard, Kind, Protocol, Talk, is_list, is_map, malformed, named, whole};
use crate::fields::Shown;
use crate::message::Direction;

const FORMAT: &str = "OCPP-J";

/// OCPP-J in text messages. Charging stations are the clients.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOcpp {
    /// `1.6` or `2.0.1`.
    version: RawVersion,
    /// The actions that stations may call. `*` at the end stands for any rest. Default: those of the version that stations call.
    #[serde(default)]
    station_actions: Option<At<OneOrMany<At<String>>>>,
    /// The actions that may be called of stations. Default: those of the version that the management system calls.
    #[serde(default)]
    system_actions: Option<At<OneOrMany<At<String>>>>,
}

/// A version of OCPP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum RawVersion {
    /// 1.6.
    #[serde(rename = "1.6")]
    One,
    /// 2.0.1.
    #[serde(rename = "2.0.1")]
    Two,
}

/// OCPP.
#[derive(Clone, Debug, PartialEq)]
pub struct Ocpp {
    version: RawVersion,
    station_actions: Option<Names>,
    system_actions: Option<Names>,
}

impl RawOcpp {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Ocpp {
        let station = actions(self.version, Direction::ToUpstream);
        let system = actions(self.version, Direction::ToClient);
        Ocpp {
            version: self.version,
            station_actions: known(self.station_actions, station, problems),
            system_actions: known(self.system_actions, system, problems),
        }
    }
}

/// A list of actions, each of which may be called from that side: one that may not would be listed in vain.
fn known(raw: Option<At<OneOrMany<At<String>>>>, actions: &[&str], problems: &mut Problems) -> Option<Names> {
    for listed in raw.iter().flat_map(|raw| raw.value.iter()) {
        let is_known = match listed.value.strip_suffix('*') {
            Some(start) => actions.iter().any(|action| action.starts_with(start)),
            None => actions.contains(&&*listed.value),
        };
        if !is_known {
            let what = format!("`{}` is no action that this version has for this side", listed.value);
            problems.error(listed.place, what, "list actions of the version, as `Heartbeat`");
        }
    }
    Names::optional(raw, problems)
}

/// What stations call, in 1.6.
const STATION_1: &[&str] = &[
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
];

/// What is called of stations, in 1.6.
const SYSTEM_1: &[&str] = &[
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "DataTransfer",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDiagnostics",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "InstallCertificate",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SignedUpdateFirmware",
    "TriggerMessage",
    "UnlockConnector",
    "UpdateFirmware",
];

/// What stations call, in 2.0.1.
const STATION_2: &[&str] = &[
    "Authorize",
    "BootNotification",
    "ClearedChargingLimit",
    "DataTransfer",
    "FirmwareStatusNotification",
    "Get15118EVCertificate",
    "GetCertificateStatus",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEVChargingNeeds",
    "NotifyEVChargingSchedule",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "SignCertificate",
    "StatusNotification",
    "TransactionEvent",
];

/// What is called of stations, in 2.0.1.
const SYSTEM_2: &[&str] = &[
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ClearCache",
    "ClearChargingProfile",
    "ClearDisplayMessage",
    "ClearVariableMonitoring",
    "CostUpdated",
    "CustomerInformation",
    "DataTransfer",
    "DeleteCertificate",
    "GetBaseReport",
    "GetChargingProfiles",
    "GetCompositeSchedule",
    "GetDisplayMessages",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "GetMonitoringReport",
    "GetReport",
    "GetTransactionStatus",
    "GetVariables",
    "InstallCertificate",
    "PublishFirmware",
    "RequestStartTransaction",
    "RequestStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SetDisplayMessage",
    "SetMonitoringBase",
    "SetMonitoringLevel",
    "SetNetworkProfile",
    "SetVariableMonitoring",
    "SetVariables",
    "TriggerMessage",
    "UnlockConnector",
    "UnpublishFirmware",
    "UpdateFirmware",
];

const fn actions(version: RawVersion, caller: Direction) -> &'static [&'static str] {
    match (version, caller) {
        (RawVersion::One, Direction::ToUpstream) => STATION_1,
        (RawVersion::One, Direction::ToClient) => SYSTEM_1,
        (RawVersion::Two, Direction::ToUpstream) => STATION_2,
        (RawVersion::Two, Direction::ToClient) => SYSTEM_2,
    }
}

impl Protocol for Ocpp {
    fn name(&self) -> &'static str {
        "ocpp"
    }

    fn subprotocols(&self) -> &'static [&'static str] {
        match self.version {
            RawVersion::One => &["ocpp1.6"],
            RawVersion::Two => &["ocpp2.0.1"],
        }
    }

    fn is_json(&self) -> bool {
        true
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let broken = malformed(FORMAT);
        let packet = heard.fields.root().filter(is_list).ok_or(broken)?;
        let text = |place| packet.nth(place).and_then(|field| field.text()).ok_or(broken);
        let number = packet.nth(0).and_then(|number| whole(&number)).ok_or(broken)?;
        let Shown::List(length) = packet.show() else { return Err(broken) };
        let id = text(1)?;
        // Section 4.1.4 of either version.
        if id.is_empty() || id.len() > 36 {
            return Err(broken);
        }
        let key = Key::of(0, id);
        match (number, length) {
            (2, 4) if packet.nth(3).is_some_and(|payload| is_map(&payload)) => {
                let action = text(2)?;
                let actions = actions(self.version, heard.direction);
                let place = actions.iter().position(|known| *known == action);
                let place = place.and_then(|place| u8::try_from(place).ok());
                let place = place.ok_or(Breach::Unlisted(Named::Action))?;
                let names = match heard.direction {
                    Direction::ToUpstream => &self.station_actions,
                    Direction::ToClient => &self.system_actions,
                };
                listed(names.as_ref(), action, heard.facts, Named::Action)?;
                talk.open(heard.direction, key, place, heard.limits.pending)?;
                Ok(named("call", action))
            }
            (3, 3) if packet.nth(2).is_some_and(|payload| is_map(&payload)) => {
                self.answer("result", key, heard, talk)
            }
            (4, 5) if packet.nth(4).is_some_and(|details| is_map(&details)) => {
                text(2).and(text(3))?;
                self.answer("error", key, heard, talk)
            }
            _ => Err(broken),
        }
    }
}

impl Ocpp {
    /// An answer is one to the action that was called.
    fn answer(&self, kind: &str, key: Key, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let caller = other(heard.direction);
        let place = talk.close(caller, key)?;
        Ok(named(kind, actions(self.version, caller).get(usize::from(place)).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wicketgate_config::part;

    use super::*;
    use crate::format::pack::testing::Session;
    use crate::message::Direction::{ToClient, ToUpstream};

    const POLICY: &str = "
name: p
format: {ocpp: {version: '1.6', system_actions: [Reset, 'Remote*']}}
bounds: {pending: 2}
to_upstream: [{name: answers, then: drop, kinds: ['result:Reset'], when: 'message[2].status == \"Rejected\"'}]
to_client: []
";

    #[test]
    fn calls_are_answered_once_and_by_the_other_side() {
        let mut session = Session::of(POLICY, "station");
        for (direction, text, expected) in [
            (ToUpstream, r#"[2,"1","BootNotification",{"chargePointModel":"x"}]"#, "passed"),
            (ToUpstream, r#"[2,"1","Heartbeat",{}]"#, "duplicate_id 1008"),
            (ToUpstream, r#"[3,"1",{}]"#, "unknown_id 1008"),
            (ToClient, r#"[3,"1",{"status":"Accepted"}]"#, "passed"),
            (ToClient, r#"[3,"1",{}]"#, "unknown_id 1008"),
            (ToUpstream, r#"[2,"2","Reset",{}]"#, "action_not_allowed 1008"),
            (ToUpstream, r#"[2,"2","Anything",{}]"#, "action_not_allowed 1008"),
            (ToClient, r#"[2,"2","Heartbeat",{}]"#, "action_not_allowed 1008"),
            (ToClient, r#"[2,"2","UpdateFirmware",{}]"#, "action_not_allowed 1008"),
            (ToClient, r#"[2,"2","RemoteStartTransaction",{}]"#, "passed"),
            (ToUpstream, r#"[4,"2","NotSupported","",{}]"#, "passed"),
            (ToClient, r#"[2,"3","Reset",{"type":"Soft"}]"#, "passed"),
            (ToUpstream, r#"[3,"3",{"status":"Rejected"}]"#, "answers dropped"),
            (ToUpstream, r#"[3,"3",{"status":"Accepted"}]"#, "passed"),
            (ToUpstream, r#"[2,"4","Heartbeat"]"#, "malformed 1007"),
            (ToUpstream, r#"[2,4,"Heartbeat",{}]"#, "malformed 1007"),
            (ToUpstream, r#"[2,"4","Heartbeat",[]]"#, "malformed 1007"),
            (ToUpstream, r#"[5,"4",{}]"#, "malformed 1007"),
            (ToUpstream, r#"[2,"0123456789012345678901234567890123456","Heartbeat",{}]"#, "malformed 1007"),
        ] {
            assert_eq!(session.say(direction, text), expected, "{text}");
        }
        let mut other = Session::of(POLICY, "station").negotiated(Some("ocpp2.0.1"));
        assert_eq!(other.say(ToUpstream, r#"[2,"1","Heartbeat",{}]"#), "wrong_subprotocol 1008");
    }

    #[test]
    fn what_may_never_be_called_is_not_listed() {
        for (list, refused) in [
            ("station_actions: [Heartbeat, 'Boot*']", 0),
            ("station_actions: [Heartbeat, Reset]", 1),
            ("station_actions: ['Remote*'], system_actions: [TransactionEvent, Reset]", 2),
        ] {
            let raw: RawOcpp = part("test.yaml", &format!("{{version: '1.6', {list}}}")).unwrap();
            let mut problems = Problems::default();
            raw.check(&mut problems);
            assert_eq!(problems.iter().count(), refused, "{list}");
        }
    }

    #[test]
    fn the_lists_are_in_order_and_short_enough_to_number() {
        for list in [STATION_1, SYSTEM_1, STATION_2, SYSTEM_2] {
            assert!(list.is_sorted() && list.len() < 256);
        }
    }
}
