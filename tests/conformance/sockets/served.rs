//! The quickstart's instances on sockets, and certificates of all kinds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use server::{Authority, Desk, Pace, Port, Tls};
use testbed::scenario::Scenario;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Instances that are served; time stands still.
pub(crate) struct Served {
    pub(crate) sales: SocketAddr,
    pub(crate) ledger: SocketAddr,
    pub(crate) desk: Desk,
    /// The certificate of the authority that vouches for them, where it is one of the server's own.
    pub(crate) authority: String,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
    world: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn new() -> Self {
        Self::telling(Scenario::quickstart().unwrap()).await
    }

    /// Another story of the same instances.
    pub(crate) async fn telling(scenario: Scenario) -> Self {
        let authority = Authority::new(&[]).unwrap();
        let mut served = Self::start(scenario, Tls::new(&authority).unwrap()).await;
        served.authority = authority.pem;
        served
    }

    /// Presenting a certificate of somebody else's.
    pub(crate) async fn with(tls: Tls) -> Self {
        Self::start(Scenario::quickstart().unwrap(), tls).await
    }

    async fn start(scenario: Scenario, tls: Tls) -> Self {
        let (desk, world) = server::open(scenario, Pace::Manual, None).unwrap();
        let (stop, stopped) = watch::channel(false);
        let sales = Port::open("sales".to_owned(), 0).await.unwrap();
        let ledger = Port::open("ledger".to_owned(), 0).await.unwrap();
        let addresses = (sales.address, ledger.address);
        let mut serving = JoinSet::new();
        serving.spawn(server::serve(vec![sales, ledger], desk.clone(), Arc::new(tls), stopped));
        let authority = String::new();
        Self { sales: addresses.0, ledger: addresses.1, desk, authority, stop, serving, world }
    }

    pub(crate) async fn end(self) {
        self.stop.send(true).unwrap();
        self.serving.join_all().await;
        self.desk.close();
        self.world.join().unwrap();
    }
}

/// An authority and what it signs.
pub(crate) struct Signer(CertifiedIssuer<'static, KeyPair>);

/// How long a certificate is good for.
#[derive(Clone, Copy)]
pub(crate) enum Life {
    Past,
    Present,
    Future,
}

impl Signer {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, as a bundle holds it.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a server presents that it vouches for.
    pub(crate) fn vouches_for(&self, host: &str, life: Life) -> Tls {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host, life).signed_by(&key, &self.0).unwrap();
        tls(certificate.der(), &key)
    }
}

/// What a server presents that nobody vouches for, as one that may sign others, or not.
pub(crate) fn self_signed(host: &str, is_authority: bool) -> Tls {
    let key = KeyPair::generate().unwrap();
    let mut params = params(host, Life::Present);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    tls(params.self_signed(&key).unwrap().der(), &key)
}

fn params(host: &str, life: Life) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let years = match life {
        Life::Past => (2001, 2002),
        Life::Present => (2001, 2999),
        Life::Future => (2998, 2999),
    };
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    params
}

fn tls(certificate: &CertificateDer<'_>, key: &KeyPair) -> Tls {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Tls::of(&[certificate.clone().into_owned()], &key).unwrap()
}
