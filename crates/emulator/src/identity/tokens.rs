//! Tokens: given to applications, checked when they come back, and put on
//! notifications.

use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jsonwebtoken::{Algorithm, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::KeyRing;
use crate::config::{App, EmulatorError, client_id, in_tenant, registrations};

/// Graph, as the audience of access tokens.
const GRAPH: &str = "https://graph.microsoft.com";
/// Graph's own application id, which some libraries ask for.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";
/// The issuer of calling notifications.
const NOTIFIER: &str = "https://api.botframework.com";
/// Entra's usual lifetime, a second short of the hour.
pub(crate) const ACCESS_LIFETIME: Duration = Duration::from_secs(3599);
/// Published keys: the one that signs and those it took over from.
const MAX_KEYS: usize = 3;
const NOTIFICATION_LIFETIME: Duration = Duration::from_secs(3600);
/// Tokens are good from a little before they were made: clocks differ.
const BACKDATED: Duration = Duration::from_secs(300);

/// The application permissions that are consented to.
pub(crate) const ROLES: [&str; 16] = [
    "Calls.AccessMedia.All",
    "Calls.Initiate.All",
    "Calls.InitiateGroupCall.All",
    "Calls.JoinGroupCall.All",
    "Calls.JoinGroupCallAsGuest.All",
    "EngagementMeetingConversation.Read.All",
    "OnlineMeetingArtifact.Read.All",
    "OnlineMeetingRecording.Read.All",
    "OnlineMeetingTranscript.Read.All",
    "OnlineMeetings.Read.All",
    "OnlineMeetings.ReadWrite.All",
    "Presence.Read.All",
    "Presence.ReadWrite.All",
    "VirtualAppointment.Read.All",
    "VirtualAppointment.ReadWrite.All",
    "VirtualAppointmentNotification.Send",
];

/// Applications with their secrets, and the key that signs.
pub(crate) struct Identity {
    /// The newest signs; older ones stay published for a while.
    keys: RwLock<Vec<KeyRing>>,
    /// A key that was never published.
    stranger: OnceLock<Option<KeyRing>>,
    apps: BTreeMap<String, Credentials>,
}

struct Credentials {
    tenant: String,
    secret: SecretString,
    roles: Vec<String>,
}

/// Why an application gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    UnknownTenant,
    UnknownApp,
    WrongSecret,
    WrongScope,
    Signing,
}

/// What a good access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// The application's registration.
    pub(crate) app: String,
    /// The permissions granted.
    pub(crate) roles: Vec<String>,
}

/// Why an access token is refused, in Graph's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("Access token is empty.")]
    Empty,
    #[error("IDX14100: JWT is not well formed, there are no dots (.).")]
    Malformed,
    #[error("Access token validation failure. Invalid audience.")]
    Audience,
    #[error("Signature is invalid.")]
    Signature,
    #[error("Lifetime validation failed, the token is expired.")]
    Expired,
    #[error("The identity of the calling application could not be established.")]
    UnknownApp,
}

#[derive(Serialize, Deserialize)]
struct AccessClaims {
    aud: String,
    iss: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    appid: String,
    azp: String,
    tid: String,
    oid: String,
    sub: String,
    idtyp: String,
    roles: Vec<String>,
    ver: String,
}

#[derive(Serialize)]
struct NotificationClaims<'a> {
    aud: &'a str,
    iss: &'static str,
    iat: u64,
    nbf: u64,
    exp: u64,
    tid: &'a str,
    serviceurl: &'a str,
}

impl Identity {
    pub(crate) fn new(key: KeyRing, apps: &[App], roles: &BTreeMap<String, Vec<String>>) -> Self {
        let all = || ROLES.map(str::to_owned).to_vec();
        let credentials = |(key, app): (String, &App)| {
            let here = in_tenant(&app.client_id, &app.tenant_id);
            let roles = roles.get(&here).or_else(|| roles.get(&app.client_id));
            let credentials = Credentials {
                tenant: app.tenant_id.clone(),
                secret: app.client_secret.clone(),
                roles: roles.cloned().unwrap_or_else(all),
            };
            (key, credentials)
        };
        Self {
            keys: RwLock::new(vec![key]),
            stranger: OnceLock::new(),
            apps: registrations(apps).into_iter().map(credentials).collect(),
        }
    }

    /// The key that was never published, if it isn't to be made when it is needed.
    pub(crate) fn set_stranger(&self, key: KeyRing) {
        // One that is there already does as well.
        let _ = self.stranger.set(Some(key));
    }

    /// The published keys (RFC 7517).
    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.keys().iter().map(KeyRing::jwk).collect();
        json!({"keys": keys})
    }

    /// Signs with a new key from now on and returns its id.
    pub(crate) fn rotate(&self) -> Result<String, EmulatorError> {
        let key = KeyRing::generate()?;
        let id = key.id().to_owned();
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() == MAX_KEYS {
            keys.remove(0);
        }
        keys.push(key);
        Ok(id)
    }

    fn keys(&self) -> RwLockReadGuard<'_, Vec<KeyRing>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, claims: &impl Serialize) -> Option<String> {
        self.keys().last()?.sign(claims)
    }

    /// The claims of a token that one of our keys signed for Graph.
    fn claims(&self, token: &str) -> Result<AccessClaims, AccessError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| AccessError::Malformed)?;
        let keys = self.keys();
        let signed_with = |key: &&KeyRing| header.kid.as_deref() == Some(key.id());
        let key = keys
            .iter()
            .find(signed_with)
            .ok_or(AccessError::Signature)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[GRAPH]);
        // Times are checked against the emulator's clock, which may be moved.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, key.verifying(), &validation);
        Ok(decoded.map_err(|error| refusal(error.kind()))?.claims)
    }

    /// An access token for an application that proves who it is.
    pub(crate) fn grant(
        &self,
        tenant: &str,
        client_id: &str,
        secret: &str,
        scope: &str,
        now: SystemTime,
    ) -> Result<String, Denial> {
        if !self
            .apps
            .values()
            .any(|app| app.tenant.eq_ignore_ascii_case(tenant))
        {
            return Err(Denial::UnknownTenant);
        }
        let (_, app) = self.app_in(client_id, tenant).ok_or(Denial::UnknownApp)?;
        let expected = app.secret.expose_secret().as_bytes();
        verify_slices_are_equal(expected, secret.as_bytes()).map_err(|_| Denial::WrongSecret)?;
        if !is_graph_scope(scope) {
            return Err(Denial::WrongScope);
        }
        let claims = access_claims(client_id, &app.tenant, &app.roles, seconds(now));
        self.sign(&claims).ok_or(Denial::Signing)
    }

    /// An application as it is registered in a tenant.
    fn app_in(&self, client_id: &str, tenant: &str) -> Option<(String, &Credentials)> {
        let keys = [client_id.to_owned(), in_tenant(client_id, tenant)];
        let mut known = keys.into_iter().filter_map(|key| {
            let app = self.apps.get(&key)?;
            Some((key, app))
        });
        known.find(|(_, app)| app.tenant.eq_ignore_ascii_case(tenant))
    }

    /// An access token for an application whose request the emulator repeats itself.
    pub(crate) fn own_token(&self, key: &str, now: SystemTime) -> Option<String> {
        let app = self.apps.get(key)?;
        self.sign(&access_claims(
            client_id(key),
            &app.tenant,
            &app.roles,
            seconds(now),
        ))
    }

    /// What an `Authorization` header is worth.
    pub(crate) fn check(
        &self,
        authorization: Option<&str>,
        now: SystemTime,
    ) -> Result<Access, AccessError> {
        let token = authorization.and_then(bearer).ok_or(AccessError::Empty)?;
        let claims = self.claims(token)?;
        if claims.exp <= seconds(now) {
            return Err(AccessError::Expired);
        }
        let app = self.app_in(&claims.appid, &claims.tid);
        let (app, _) = app.ok_or(AccessError::UnknownApp)?;
        Ok(Access {
            app,
            roles: claims.roles,
        })
    }

    /// The token on a notification for an application.
    pub(crate) fn notification_token(
        &self,
        app: &str,
        tenant: &str,
        service: &str,
        now: SystemTime,
    ) -> Option<String> {
        self.sign(&notification_claims(client_id(app), tenant, service, now))
    }

    /// The same, signed with a key that nobody can know.
    pub(crate) fn foreign_token(
        &self,
        app: &str,
        tenant: &str,
        service: &str,
        now: SystemTime,
    ) -> Option<String> {
        let stranger = self.stranger.get_or_init(|| KeyRing::generate().ok());
        let claims = notification_claims(client_id(app), tenant, service, now);
        stranger.as_ref()?.sign(&claims)
    }
}

fn notification_claims<'a>(
    app: &'a str,
    tenant: &'a str,
    service: &'a str,
    now: SystemTime,
) -> NotificationClaims<'a> {
    let issued = seconds(now);
    NotificationClaims {
        aud: app,
        iss: NOTIFIER,
        iat: issued,
        nbf: issued.saturating_sub(BACKDATED.as_secs()),
        exp: issued + NOTIFICATION_LIFETIME.as_secs(),
        tid: tenant,
        serviceurl: service,
    }
}

fn access_claims(client_id: &str, tenant: &str, roles: &[String], issued: u64) -> AccessClaims {
    AccessClaims {
        aud: GRAPH.to_owned(),
        iss: format!("https://sts.windows.net/{tenant}/"),
        iat: issued,
        nbf: issued.saturating_sub(BACKDATED.as_secs()),
        exp: issued + ACCESS_LIFETIME.as_secs(),
        appid: client_id.to_owned(),
        azp: client_id.to_owned(),
        tid: tenant.to_owned(),
        oid: client_id.to_owned(),
        sub: client_id.to_owned(),
        idtyp: "app".to_owned(),
        roles: roles.to_vec(),
        ver: "1.0".to_owned(),
    }
}

fn refusal(kind: &jsonwebtoken::errors::ErrorKind) -> AccessError {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidAudience => AccessError::Audience,
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => AccessError::Signature,
        _ => AccessError::Malformed,
    }
}

/// Client credentials ask for `{resource}/.default`.
fn is_graph_scope(scope: &str) -> bool {
    let resource = scope.strip_suffix("/.default");
    resource
        .is_some_and(|resource| resource == GRAPH || resource == GRAPH_APP || is_local(resource))
}

/// Libraries that are pointed to another base address ask for a token for it.
fn is_local(resource: &str) -> bool {
    url::Url::parse(resource).is_ok_and(|url| match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    })
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::LazyLock;

    use switchboard_signaling::auth::{KeySet, TokenPolicy, TokenValidator};

    use super::*;

    static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
        let app = App {
            tenant_id: "tenant-1".into(),
            client_id: "app-1".into(),
            client_secret: "s3cret".to_owned().into(),
            webhook: None,
        };
        Identity::new(KeyRing::generate().unwrap(), &[app], &BTreeMap::new())
    });
    const SCOPE: &str = "https://graph.microsoft.com/.default";

    #[test]
    fn a_granted_token_opens_graph_until_it_expires() {
        let now = SystemTime::now();
        let token = IDENTITY
            .grant("TENANT-1", "app-1", "s3cret", SCOPE, now)
            .unwrap();
        let header = format!("Bearer {token}");
        let access = IDENTITY.check(Some(&header), now).unwrap();
        assert_eq!(access.app, "app-1");
        assert!(access.roles.iter().any(|role| role == "Calls.Initiate.All"));
        let later = now + ACCESS_LIFETIME;
        assert_eq!(
            IDENTITY.check(Some(&header), later),
            Err(AccessError::Expired)
        );
    }

    #[test]
    fn each_wrong_claim_to_identity_is_denied() {
        let ask = |tenant, app, secret, scope| {
            IDENTITY
                .grant(tenant, app, secret, scope, SystemTime::now())
                .unwrap_err()
        };
        assert_eq!(
            ask("other", "app-1", "s3cret", SCOPE),
            Denial::UnknownTenant
        );
        assert_eq!(
            ask("tenant-1", "app-2", "s3cret", SCOPE),
            Denial::UnknownApp
        );
        assert_eq!(
            ask("tenant-1", "app-1", "guess", SCOPE),
            Denial::WrongSecret
        );
        assert_eq!(
            ask("tenant-1", "app-1", "s3cret", "openid"),
            Denial::WrongScope
        );
    }

    #[test]
    fn other_tokens_do_not_open_graph() {
        let now = SystemTime::now();
        let check = |header: Option<&str>| IDENTITY.check(header, now).unwrap_err();
        assert_eq!(check(None), AccessError::Empty);
        assert_eq!(check(Some("Bearer ")), AccessError::Empty);
        assert_eq!(check(Some("Basic abc")), AccessError::Empty);
        assert_eq!(check(Some("Bearer nonsense")), AccessError::Malformed);
        let notification = IDENTITY.notification_token("app-1", "t", "s", now).unwrap();
        assert_eq!(
            check(Some(&format!("Bearer {notification}"))),
            AccessError::Malformed
        );
        let other = Identity::new(KeyRing::generate().unwrap(), &[], &BTreeMap::new());
        let claims = access_claims("app-1", "tenant-1", &[], seconds(now));
        let forged = format!("Bearer {}", other.sign(&claims).unwrap());
        assert_eq!(check(Some(&forged)), AccessError::Signature);
        let mut elsewhere = access_claims("app-1", "tenant-1", &[], seconds(now));
        elsewhere.aud = "https://vault.azure.net".into();
        let elsewhere = format!("Bearer {}", IDENTITY.sign(&elsewhere).unwrap());
        assert_eq!(check(Some(&elsewhere)), AccessError::Audience);
    }

    #[test]
    fn the_bots_own_validator_believes_a_notification() {
        let now = SystemTime::now();
        let token = IDENTITY
            .notification_token("app-1", "tenant-1", "s", now)
            .unwrap();
        let keys = KeySet::from_jwks(IDENTITY.jwks().to_string().as_bytes()).unwrap();
        let policy = |app| {
            TokenPolicy::new(app)
                .unwrap()
                .with_tenant("tenant-1")
                .unwrap()
        };
        let validated = TokenValidator::new(policy("app-1"))
            .validate(&token, &keys, now)
            .unwrap();
        assert_eq!(validated.tenant.as_deref(), Some("tenant-1"));
        let other = TokenValidator::new(policy("app-2"));
        assert!(other.validate(&token, &keys, now).is_err());
    }

    #[test]
    fn a_new_key_signs_and_the_former_is_still_believed() {
        let now = SystemTime::now();
        let identity = Identity::new(KeyRing::generate().unwrap(), &[], &BTreeMap::new());
        let old = identity.notification_token("app-1", "t", "s", now).unwrap();
        identity.rotate().unwrap();
        let new = identity.notification_token("app-1", "t", "s", now).unwrap();
        let foreign = identity.foreign_token("app-1", "t", "s", now).unwrap();
        let keys = KeySet::from_jwks(identity.jwks().to_string().as_bytes()).unwrap();
        let validator = TokenValidator::new(TokenPolicy::new("app-1").unwrap());
        assert!(validator.validate(&old, &keys, now).is_ok());
        assert!(validator.validate(&new, &keys, now).is_ok());
        assert!(validator.validate(&foreign, &keys, now).is_err());
        for _ in 0..MAX_KEYS {
            identity.rotate().unwrap();
        }
        let keys = KeySet::from_jwks(identity.jwks().to_string().as_bytes()).unwrap();
        assert!(validator.validate(&old, &keys, now).is_err(), "retired");
    }
}
