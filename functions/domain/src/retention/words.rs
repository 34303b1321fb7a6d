//! Why is a backup kept, and why may one go? As values, with the sentence that a person reads.

use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::generations::Generation;
use crate::coverage::written;
use crate::id::BackupId;

/// What a backup is kept for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum For {
    /// It finished inside the promised window: a restore can begin with it.
    Point,
    /// It is the full of its day, week, month or year.
    Generation(Generation),
    /// The policy keeps differentials for so long.
    Differential,
    /// The policy keeps copy-only fulls, which somebody asked for, for so long.
    OnDemand,
    /// The promised window begins with it: no later data backup had finished by then.
    Anchor,
    /// A restore within the promised window applies it, beginning with that data backup.
    Log(BackupId),
    /// That differential restores on it.
    Base(BackupId),
    /// The newest good data backup, or a log behind it: kept whatever its age, while nothing newer takes its place.
    LastGood,
    /// Somebody holds it, or a restore under way needs it.
    Hold(String),
    /// A held backup needs it.
    HeldWith(BackupId),
    /// It finished inside the promised window. Nothing needs it as it is now.
    Young,
    /// Nothing that can be read now takes its place, and something behind the last such backup cannot be read.
    Unreplaced,
    /// It shares a file with that backup, which stays.
    SharedFile(BackupId),
    /// RDS keeps it and removes it by its own rule, after seven days.
    Service,
    /// A snapshot of the service, which is not ours.
    Snapshot,
    /// The policy does not protect its database: what is not protected is left alone.
    NotProtected,
}

/// One reason to keep a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// What it is kept for.
    pub what: For,
    /// When this reason ends should no further backup be made; `None`: not by the calendar.
    pub until: Option<Timestamp>,
}

impl For {
    /// Stable name in `CamelCase`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Point => "RestorePoint",
            Self::Generation(Generation::Daily) => "Daily",
            Self::Generation(Generation::Weekly) => "Weekly",
            Self::Generation(Generation::Monthly) => "Monthly",
            Self::Generation(Generation::Yearly) => "Yearly",
            Self::Differential => "DifferentialDays",
            Self::OnDemand => "OnDemand",
            Self::Anchor => "WindowAnchor",
            Self::Log(_) => "WindowLog",
            Self::Base(_) => "DifferentialBase",
            Self::LastGood => "LastGood",
            Self::Hold(_) => "Hold",
            Self::HeldWith(_) => "HeldWith",
            Self::Young => "InsideWindow",
            Self::Unreplaced => "Unreplaced",
            Self::SharedFile(_) => "SharedFile",
            Self::Service => "HeldByService",
            Self::Snapshot => "Snapshot",
            Self::NotProtected => "NotProtected",
        }
    }
}

impl fmt::Display for For {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point => f.write_str("a restore point of the promised window"),
            Self::Generation(generation) => write!(f, "the {} full", generation.as_str()),
            Self::Differential => f.write_str("a differential that the policy keeps"),
            Self::OnDemand => f.write_str("a copy-only full that the policy keeps"),
            Self::Anchor => f.write_str("the promised window begins with it"),
            Self::Log(anchor) => write!(f, "a log of the promised window, on {anchor}"),
            Self::Base(differential) => write!(f, "the base of differential {differential}"),
            Self::LastGood => f.write_str("the newest good chain, kept whatever its age"),
            Self::Hold(why) => write!(f, "held: {why}"),
            Self::HeldWith(backup) => write!(f, "{backup}, which is held, needs it"),
            Self::Young => f.write_str("younger than the promised window, though no restore needs it now"),
            Self::Unreplaced => f.write_str(
                "nothing that can be read now takes its place, and backups behind it cannot be read",
            ),
            Self::SharedFile(other) => write!(f, "it shares a file with {other}, which stays"),
            Self::Service => f.write_str("RDS keeps it and removes it itself"),
            Self::Snapshot => f.write_str("a snapshot of the service, not ours to remove"),
            Self::NotProtected => f.write_str("the policy does not protect its database"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "{} until {}", self.what, written(until)),
            None => write!(f, "{}", self.what),
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Why", 3)?;
        object.serialize_field("name", self.what.name())?;
        object.serialize_field("message", &Words(&self.what))?;
        object.serialize_field("until", &self.until.map(written))?;
        object.end()
    }
}

/// Why a backup may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// A log, and every promised moment of its fork is restored from that data backup, which ends behind it.
    Superseded(BackupId),
    /// A log, and no moment that it leads to is promised any more.
    BeforeWindow(Timestamp),
    /// A data backup past all its dates, of which this was the last.
    Expired(For, Timestamp),
    /// It cannot be restored, and is older than the promised window.
    Unusable(String),
}

impl Removal {
    /// Stable name in `CamelCase`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Superseded(_) => "Superseded",
            Self::BeforeWindow(_) => "BeforeWindow",
            Self::Expired(..) => "Expired",
            Self::Unusable(_) => "Unusable",
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superseded(anchor) => {
                write!(f, "every promised moment behind it is restored from {anchor} or later")
            }
            Self::BeforeWindow(from) => {
                write!(
                    f,
                    "no moment at or after {}, where the promised window begins, needs it",
                    written(*from)
                )
            }
            Self::Expired(what, on) => {
                write!(
                    f,
                    "past all its dates and not needed by the promised window; the last was {}, as {what}",
                    written(*on)
                )
            }
            Self::Unusable(why) => {
                write!(f, "it cannot be restored ({why}) and is older than the promised window")
            }
        }
    }
}

impl Serialize for Removal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Removal", 2)?;
        object.serialize_field("name", self.name())?;
        object.serialize_field("message", &Words(self))?;
        object.end()
    }
}

/// A sentence that is written out when it is asked for: a proposal may have a million of them.
struct Words<'a, T>(&'a T);

impl<T: fmt::Display> Serialize for Words<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}
