//! One order, from the account to the certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeHandle, ChallengeType, Error, Identifier, NewAccount, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::challenge::{Challenges, Offered};
use super::config::{AcmeConfig, ChallengeKind};
use super::directory::Directory;
use super::error::AcmeError;
use super::storage::{self, StoredAccount};
use crate::tls::provider;

/// How often, and for how long, the authority is asked whether it is done.
const POLLING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));

/// Orders a certificate; gives its key, then its chain, in PEM.
pub(super) async fn obtain(config: &AcmeConfig, challenges: &Arc<Challenges>) -> Result<String, AcmeError> {
    let identifiers: Vec<Identifier> = config.domains.iter().cloned().map(Identifier::Dns).collect();
    let wanted = NewOrder::new(&identifiers);
    let mut order = match account(config).await?.new_order(&wanted).await {
        Err(error) if is_unknown_account(&error) => {
            tracing::warn!(
                directory = config.directory,
                "the authority does not know the account: a new one is made"
            );
            storage::forget_account(config)?;
            account(config).await?.new_order(&wanted).await?
        }
        order => order?,
    };
    // Kept until the authority has judged them all.
    let offered = prove(config, challenges, &mut order).await?;
    let status = order.poll_ready(&POLLING).await;
    drop(offered);
    match status {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(AcmeError::NotProven(complaints(&mut order).await)),
        Err(Error::Api(problem)) => {
            let more = complaints(&mut order).await;
            return Err(AcmeError::NotProven(if more.is_empty() { problem.to_string() } else { more }));
        }
        Err(error) => return Err(error.into()),
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(config.domains.clone())?;
    params.distinguished_name = DistinguishedName::new();
    order.finalize_csr(params.serialize_request(&key)?.der()).await?;
    let chain = order.poll_certificate(&POLLING).await?;
    Ok(format!("{}{chain}", key.serialize_pem()))
}

/// The account, made if there is none, and told how to reach us if that changed.
async fn account(config: &AcmeConfig) -> Result<Account, AcmeError> {
    let builder = || Ok::<_, AcmeError>(Account::builder_with_http(Box::new(Directory::new(config)?)));
    let contact: Vec<&str> = config.contact.iter().map(String::as_str).collect();
    let Some(StoredAccount { contact: told, credentials }) = storage::account(config)? else {
        let wanted =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let made = builder()?.create(&wanted, config.directory.clone(), None).await?;
        let (account, credentials) = made;
        storage::keep_account(config, &StoredAccount { contact: config.contact.clone(), credentials })?;
        return Ok(account);
    };
    let account = builder()?.from_credentials(credentials).await?;
    if told != config.contact {
        account.update_contacts(&contact).await?;
        if let Some(stored) = storage::account(config)? {
            storage::keep_account(config, &StoredAccount { contact: config.contact.clone(), ..stored })?;
        }
    }
    Ok(account)
}

fn is_unknown_account(error: &Error) -> bool {
    const UNKNOWN: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
    matches!(error, Error::Api(problem) if problem.r#type.as_deref() == Some(UNKNOWN))
}

/// Answers every challenge that is pending, and tells the authority to look.
async fn prove(
    config: &AcmeConfig,
    challenges: &Arc<Challenges>,
    order: &mut Order,
) -> Result<Vec<Offered>, AcmeError> {
    let (kind, name) = match config.challenge {
        ChallengeKind::Http01 => (ChallengeType::Http01, "http-01"),
        ChallengeKind::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
    };
    let mut offered = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // One that was proven lately is good for this order as well.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let of = authorization.identifier().to_string();
        let mut challenge = authorization
            .challenge(kind.clone())
            .ok_or(AcmeError::NoChallenge { challenge: name, name: of })?;
        offered.push(offer(config.challenge, challenges, &challenge)?);
        challenge.set_ready().await?;
    }
    Ok(offered)
}

fn offer(
    kind: ChallengeKind,
    challenges: &Arc<Challenges>,
    challenge: &ChallengeHandle<'_>,
) -> Result<Offered, AcmeError> {
    let authorization = challenge.key_authorization();
    match kind {
        ChallengeKind::Http01 => Ok(challenges.offer_http(&challenge.token, authorization.as_str())),
        ChallengeKind::TlsAlpn01 => {
            let name = challenge.identifier().to_string();
            challenges.offer_alpn(&name, authorization.digest().as_ref(), &provider())
        }
    }
}

/// What the authority says of the challenges that failed.
async fn complaints(order: &mut Order) -> String {
    let mut all = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        if let Ok(state) = authorization.refresh().await {
            let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
            all.extend(errors.map(|problem| format!("{name}: {problem}")));
        }
    }
    all.join("; ")
}
