//! API keys: who may do what. Only their hashes are kept.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::tokens::PREFIX;

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// To look.
    Reader,
    /// To change things, too: make and cancel reminders, hang up, open and lead rooms.
    Writer,
}

/// A key as it is configured.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Whose it is; appears in logs.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// `sha256:` and the hash of the key, 64 hexadecimal digits.
    pub hash: String,
}

/// Why a configured key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The hash has another form.
    #[error("the hash of the API key '{0}' must be sha256: and 64 hexadecimal digits")]
    Hash(String),
    /// Two keys share a name, or it has none.
    #[error("API keys need names of their own: '{0}' is there twice, or empty")]
    Name(String),
    /// It is named like somebody with a token.
    #[error("an API key can't be named '{0}': names that begin with oidc: are of access tokens")]
    Reserved(String),
}

struct Key {
    name: String,
    role: Role,
    hash: [u8; 32],
}

/// All keys.
#[derive(Default)]
pub struct Keys(Vec<Key>);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The key's name, or the token's subject after [`PREFIX`].
    pub name: String,
    /// What it allows.
    pub role: Role,
}

/// A new key, and the hash to configure.
pub struct NewKey {
    /// For the client. It can't be had again.
    pub key: String,
    /// For the configuration.
    pub hash: String,
}

impl fmt::Debug for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyConfig")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// # Errors
    /// [`KeyError`].
    pub fn new(configured: &[KeyConfig]) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        for config in configured {
            let name = config.name.clone();
            if name.is_empty() || keys.iter().any(|key| key.name == name) {
                return Err(KeyError::Name(name));
            }
            if name.starts_with(PREFIX) {
                return Err(KeyError::Reserved(name));
            }
            let hash = hash_bytes(&config.hash).ok_or_else(|| KeyError::Hash(name.clone()))?;
            keys.push(Key {
                name,
                role: config.role,
                hash,
            });
        }
        Ok(Self(keys))
    }

    /// Whose key that is. Takes as long for a wrong key as for a right one.
    pub fn caller(&self, key: &str) -> Option<Caller> {
        let hash = digest(&SHA256, key.as_bytes());
        let mut found = None;
        for key in &self.0 {
            if verify_slices_are_equal(&key.hash, hash.as_ref()).is_ok() {
                found = Some(key);
            }
        }
        found.map(|key| Caller {
            name: key.name.clone(),
            role: key.role,
        })
    }
}

/// Makes a key of 256 random bits.
///
/// # Errors
/// The system has no random numbers.
pub fn new_key() -> Result<NewKey, aws_lc_rs::error::Unspecified> {
    let mut random = [0; 32];
    rand::fill(&mut random)?;
    let key = format!("swb_{}", URL_SAFE_NO_PAD.encode(random));
    let hash = digest(&SHA256, key.as_bytes());
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(NewKey {
        key,
        hash: format!("sha256:{hex}"),
    })
}

fn hash_bytes(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?;
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, place) in hash.iter_mut().zip(0..) {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, role: Role, hash: &str) -> KeyConfig {
        KeyConfig {
            name: name.to_owned(),
            role,
            hash: hash.to_owned(),
        }
    }

    #[test]
    fn a_key_opens_and_its_hash_does_not() {
        let (ours, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(ours.key, other.key);
        let keys = Keys::new(&[
            config("office", Role::Writer, &ours.hash),
            config(
                "screen",
                Role::Reader,
                &other.hash.to_uppercase().replace("SHA", "sha"),
            ),
        ])
        .unwrap();
        let caller = keys.caller(&other.key).unwrap();
        assert_eq!(
            (caller.name.as_str(), caller.role),
            ("screen", Role::Reader)
        );
        assert_eq!(keys.caller(&ours.key).unwrap().role, Role::Writer);
        for wrong in [
            "",
            "swb_",
            &ours.hash,
            &ours.key[1..],
            &format!("{} ", ours.key),
        ] {
            assert_eq!(keys.caller(wrong), None);
        }
        assert_eq!(Keys::default().caller(&ours.key), None);
    }

    #[test]
    fn what_cannot_be_a_hash_is_refused() {
        let short = config("office", Role::Reader, "sha256:abc");
        assert_eq!(
            Keys::new(&[short]).err(),
            Some(KeyError::Hash("office".to_owned()))
        );
        let plain = config("office", Role::Reader, &"é".repeat(32));
        assert!(Keys::new(&[plain]).is_err());
        let good = new_key().unwrap().hash;
        let twice = [
            config("office", Role::Reader, &good),
            config("office", Role::Writer, &good),
        ];
        assert_eq!(
            Keys::new(&twice).err(),
            Some(KeyError::Name("office".to_owned()))
        );
        let token = config("oidc:office", Role::Reader, &good);
        assert!(matches!(Keys::new(&[token]), Err(KeyError::Reserved(_))));
    }
}
