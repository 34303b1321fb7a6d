//! Which certificates does an instance have, and where do they come from?
//!
//! RDS generates one when the option `TRANSPARENT_DATA_ENCRYPTION` is added; a statement creates one, as on a server as
//! installed; a restore brings one from objects. Names compare without regard to case, as the server's collation does.
//! Source: RDS user guide, "Support for Transparent Data Encryption in SQL Server".

use std::{fmt, ops::RangeInclusive, sync::Arc};

use crate::{
    hex::bytes,
    instance::{
        config::{Edition, OptionStatus},
        state::Instance,
    },
    stream::{Purpose, Stream},
    time::{DAY, Ms, print_datetime},
    world::World,
};

/// User certificates on one instance. RDS user guide, "Limitations".
pub(crate) const USER_CERTIFICATES_MAX: usize = 10;

/// How the names of user certificates begin.
const USER: &str = "usertdecertificate_";

/// How the names of certificates begin that RDS generates.
const SERVICE: &str = "rdstdecertificate";

/// `certificate_id` of the first one: lower numbers are the server's own.
const FIRST_ID: u32 = 256;

/// First and last day that datetime holds, 1753-01-01 and 9999-12-31.
const DAYS: RangeInclusive<Ms> = -6_847_804_800_000..=253_402_214_400_000;

/// Characters of a subject in the catalog: "Subjects that exceed 128 characters are truncated". CREATE CERTIFICATE.
const SUBJECT_MAX: usize = 128;

/// What identifies a certificate: 20 bytes, as `sys.certificates.thumbprint` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub [u8; 20]);

impl Thumbprint {
    /// From `0x` and forty hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        bytes(text.strip_prefix("0x")?).map(Self)
    }
}

impl fmt::Display for Thumbprint {
    /// `0x` and upper case, as SQL Server prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// What a certificate says, wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) thumbprint: Thumbprint,
    pub(crate) serial: [u8; 16],
    pub(crate) subject: Arc<str>,
    pub(crate) start: Ms,
    pub(crate) expiry: Ms,
}

/// Where a certificate came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// RDS generated it.
    Service,
    /// CREATE CERTIFICATE.
    Statement,
    /// `rds_restore_tde_certificate`.
    Restored,
}

/// A certificate in the master database of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) id: u32,
    pub(crate) name: Arc<str>,
    pub(crate) issued: Issued,
    pub(crate) origin: Origin,
    /// When its private key was last backed up.
    pub(crate) backed_up: Option<Ms>,
}

/// Whether a view can show a date.
pub(crate) fn is_a_date(at: Ms) -> bool {
    DAYS.contains(&at)
}

/// A subject as the catalog keeps it.
pub(crate) fn subject(text: &str) -> Arc<str> {
    Arc::from(text.chars().take(SUBJECT_MAX).collect::<String>())
}

/// Whether a name is that of a user certificate.
pub(crate) fn is_of_user(name: &str) -> bool {
    name.to_lowercase().starts_with(USER)
}

/// Whether a name holds the keyword that RDS keeps for itself.
pub(crate) fn has_service_keyword(name: &str) -> bool {
    name.to_lowercase().contains(SERVICE)
}

impl Issued {
    /// A new certificate for a year, which is what CREATE CERTIFICATE gives without `EXPIRY_DATE`.
    pub(crate) fn fresh(seed: u64, (instance, serial): (usize, u32), text: &str, start: Ms) -> Self {
        let mut stream = Stream::of(seed, Purpose::Certificate, &[instance as u64, u64::from(serial)]);
        let (mut thumbprint, mut number) = ([0; 20], [0; 16]);
        for byte in thumbprint.iter_mut().chain(&mut number) {
            *byte = stream.next().to_le_bytes()[0];
        }
        let thumbprint = Thumbprint(thumbprint);
        let expiry = (start + 365 * DAY).min(*DAYS.end());
        Self { thumbprint, serial: number, subject: subject(text), start, expiry }
    }
}

impl Instance {
    /// A certificate by name.
    pub(crate) fn certificate(&self, name: &str) -> Option<&Certificate> {
        let wanted = name.trim_end().to_lowercase();
        self.certificates.iter().find(|held| held.name.to_lowercase() == wanted)
    }

    /// The certificate that opens what a thumbprint names.
    pub(crate) fn opens(&self, thumbprint: Thumbprint) -> bool {
        self.certificates.iter().any(|held| held.issued.thumbprint == thumbprint)
    }

    /// The certificate that RDS encrypts with.
    pub(crate) fn service_certificate(&self) -> Option<&Certificate> {
        self.certificates.iter().find(|held| held.origin == Origin::Service)
    }

    /// How many user certificates there are.
    pub(crate) fn user_certificates(&self) -> usize {
        self.certificates.iter().filter(|held| is_of_user(&held.name)).count()
    }

    /// Whether its edition and version can encrypt. RDS user guide: Standard since 2019, Enterprise always.
    pub(crate) fn can_encrypt(&self) -> bool {
        match self.config.edition {
            Edition::Enterprise => true,
            Edition::Standard => self.config.major_version() >= 15,
            Edition::Web | Edition::Express => false,
        }
    }

    /// Puts a certificate on the instance.
    pub(crate) fn add_certificate(&mut self, name: &str, issued: Issued, origin: Origin) {
        let id = FIRST_ID.saturating_add(self.certificates_made);
        self.certificates_made = self.certificates_made.saturating_add(1);
        self.certificates.push(Certificate { id, name: Arc::from(name), issued, origin, backed_up: None });
    }
}

impl World {
    /// RDS generates its certificate, named by the moment, once the option is there.
    pub(crate) fn generate_certificate(&mut self, instance: usize) {
        let (now, seed) = (self.now_ms, self.seed);
        let subject = self.knobs.texts.rds_certificate_subject.clone();
        let Some(host) = self.instances.get_mut(instance) else { return };
        let wanted = host.config.tde_option == OptionStatus::InSync && host.can_encrypt();
        if !wanted || host.service_certificate().is_some() {
            return;
        }
        let printed = print_datetime(now);
        let mut name = "RDSTDECertificate".to_owned();
        let date = printed.split('.').next().unwrap_or_default();
        name.extend(date.chars().filter_map(|c| match c {
            ' ' => Some('T'),
            digit if digit.is_ascii_digit() => Some(digit),
            _ => None,
        }));
        let issued = Issued::fresh(seed, (instance, host.certificates_made), &subject, now);
        host.add_certificate(&name, issued, Origin::Service);
    }
}
