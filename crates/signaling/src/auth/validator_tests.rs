#![allow(clippy::unwrap_used)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{hmac, signature};
use proptest::prelude::*;
use serde_json::json;

use super::super::test_keys::{APP_ID, ISSUER, NEXT, TENANT, claims, encode};
use super::*;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn policy() -> TokenPolicy {
    TokenPolicy::new(APP_ID).unwrap()
}

fn check_at(token: &str, now: SystemTime) -> Result<ValidatedToken, TokenError> {
    TokenValidator::new(policy()).validate(token, &ISSUER.key_set(), now)
}

fn check(token: &str) -> Result<ValidatedToken, TokenError> {
    check_at(token, now())
}

/// A well-signed token whose claims `change` has spoilt.
fn with_claims(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(now());
    change(&mut claims);
    ISSUER.token(&claims)
}

/// A well-signed token whose header `change` has spoilt.
fn with_header(change: impl FnOnce(&mut Value)) -> String {
    let mut header = ISSUER.header();
    change(&mut header);
    ISSUER.sign(&header.to_string(), &claims(now()).to_string())
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name);
}

#[test]
fn a_documented_token_is_accepted() {
    let accepted = check(&with_claims(|_| ())).unwrap();
    assert_eq!(accepted.issuer, "https://api.botframework.com");
    assert_eq!(accepted.tenant.as_deref(), Some(TENANT));
    assert_eq!(accepted.expires, now() + Duration::from_secs(3900));
}

#[test]
fn alg_none_is_refused() {
    for alg in ["none", "None", "NONE", ""] {
        let header = json!({"alg": alg, "kid": ISSUER.kid});
        let unsigned = format!(
            "{}.{}.",
            encode(header.to_string()),
            encode(claims(now()).to_string())
        );
        assert_eq!(check(&unsigned), Err(TokenError::Algorithm));
    }
}

#[test]
fn hs256_keyed_with_the_public_key_is_refused() {
    let header = json!({"alg": "HS256", "kid": ISSUER.kid});
    let message = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims(now()).to_string())
    );
    for secret in [ISSUER.public_der(), ISSUER.jwks()] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let forged = format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes())));
        assert_eq!(check(&forged), Err(TokenError::Algorithm));
    }
}

#[test]
fn the_same_hmac_under_an_rs256_header_is_refused() {
    let message = format!(
        "{}.{}",
        encode(ISSUER.header().to_string()),
        encode(claims(now()).to_string())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &ISSUER.public_der());
    let forged = format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes())));
    assert_eq!(check(&forged), Err(TokenError::Signature));
}

/// A P-256 key under `kid`, as its issuer publishes it, and a token that it signed.
fn es256(kid: &str, claims: &Value) -> (Value, String) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    // SEC 1 §2.3.3: one byte that says uncompressed, then both coordinates.
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": encode(x), "y": encode(y)});
    let header = json!({"alg": "ES256", "kid": kid});
    let message = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    );
    let signature = key.sign(&random, message.as_bytes()).unwrap();
    (jwk, format!("{message}.{}", encode(signature)))
}

fn key_set(keys: &[Value]) -> KeySet {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

#[test]
fn es256_is_refused() {
    let (jwk, token) = es256("p-256", &claims(now()));
    let validator = TokenValidator::new(policy());
    let refused = validator.validate(&token, &key_set(&[jwk]), now());
    assert_eq!(refused, Err(TokenError::Algorithm));
}

/// Of a provider that signs with both algorithms.
fn check_general(token: &str, keys: &KeySet) -> Result<ValidatedToken, TokenError> {
    let policy = TokenPolicy::of_provider("https://api.botframework.com", APP_ID).unwrap();
    TokenValidator::new(policy).validate(token, keys, now())
}

#[test]
fn a_providers_tokens_may_be_es256_or_rs256_and_nothing_else() {
    let (jwk, token) = es256("p-256", &claims(now()));
    let keys = key_set(&[jwk, ISSUER.jwk()]);
    assert!(check_general(&token, &keys).is_ok());
    assert!(check_general(&with_claims(|_| ()), &keys).is_ok());
    // The other algorithm's header over the same signature, and the other key's.
    for (alg, kid) in [("RS256", "p-256"), ("ES256", ISSUER.kid)] {
        let header = encode(json!({"alg": alg, "kid": kid}).to_string());
        let rest = token.split_once('.').unwrap().1;
        let crossed = format!("{header}.{rest}");
        let refused = check_general(&crossed, &keys);
        assert_eq!(refused, Err(TokenError::Signature), "{alg} {kid}");
    }
    for alg in ["none", "HS256", "ES384", "PS256", "es256"] {
        let token = with_header(|header| header["alg"] = alg.into());
        assert_eq!(check_general(&token, &keys), Err(TokenError::Algorithm));
    }
}

#[test]
fn a_providers_audience_may_be_a_list_and_nbf_left_out() {
    let keys = ISSUER.key_set();
    let check = |change: fn(&mut Value)| check_general(&with_claims(change), &keys);
    assert!(check(|claims| claims["aud"] = json!(["another", APP_ID])).is_ok());
    assert!(check(|claims| remove(claims, "nbf")).is_ok());
    let others = check(|claims| claims["aud"] = json!(["another", 7]));
    assert_eq!(others, Err(TokenError::Audience));
    let null = check(|claims| claims["nbf"] = json!("soon"));
    assert_eq!(null, Err(TokenError::Claim("nbf")));
    let endless = check(|claims| remove(claims, "exp"));
    assert_eq!(endless, Err(TokenError::Claim("exp")));
    let graph = check(|claims| claims["iss"] = "https://graph.microsoft.com".into());
    assert_eq!(
        graph,
        Err(TokenError::Issuer),
        "it is not Microsoft's policy"
    );
}

#[test]
fn what_a_token_says_besides_is_told_and_not_printed() {
    let token = with_claims(|claims| claims["roles"] = json!(["a secret role"]));
    let accepted = check(&token).unwrap();
    assert_eq!(accepted.claim("roles"), Some(&json!(["a secret role"])));
    assert_eq!(accepted.claim("groups"), None);
    assert!(!format!("{accepted:?}").contains("a secret role"));
}

#[test]
fn points_that_are_not_on_the_curve_are_no_keys() {
    let (good, token) = es256("p-256", &claims(now()));
    for (name, value) in [
        ("crv", json!("P-384")),
        ("x", json!(encode([0; 31]))),
        ("y", Value::Null),
        ("alg", json!("ES384")),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        let keys = key_set(&[bad, ISSUER.jwk()]);
        assert_eq!(keys.len(), 1, "{name}");
    }
    let mut off = good;
    off["y"] = json!(encode([7; 32]));
    let refused = check_general(&token, &key_set(&[off]));
    assert_eq!(refused, Err(TokenError::Signature));
}

#[test]
fn other_rsa_algorithms_are_refused() {
    for alg in ["RS384", "RS512", "PS256", "rs256"] {
        let token = with_header(|header| header["alg"] = alg.into());
        assert_eq!(check(&token), Err(TokenError::Algorithm), "{alg}");
    }
}

#[test]
fn pss_padding_under_an_rs256_header_is_refused() {
    let message = format!(
        "{}.{}",
        encode(ISSUER.header().to_string()),
        encode(claims(now()).to_string())
    );
    let mut signed = vec![0; ISSUER.key.public_modulus_len()];
    let random = SystemRandom::new();
    ISSUER
        .key
        .sign(
            &signature::RSA_PSS_SHA256,
            &random,
            message.as_bytes(),
            &mut signed,
        )
        .unwrap();
    let token = format!("{message}.{}", encode(signed));
    assert_eq!(check(&token), Err(TokenError::Signature));
}

#[test]
fn a_token_cannot_bring_its_own_key() {
    let header = json!({
        "alg": "RS256", "kid": "mine", "jwk": NEXT.jwk(),
        "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "x5c": ["AAAA"],
    });
    let token = NEXT.sign(&header.to_string(), &claims(now()).to_string());
    assert_eq!(check(&token), Err(TokenError::UnknownKey));
    // Even under a known id the key in the header counts for nothing.
    let header = json!({"alg": "RS256", "kid": ISSUER.kid, "jwk": NEXT.jwk()});
    let token = NEXT.sign(&header.to_string(), &claims(now()).to_string());
    assert_eq!(check(&token), Err(TokenError::Signature));
}

#[test]
fn a_kid_is_required_and_must_be_known() {
    let none = with_header(|header| remove(header, "kid"));
    assert_eq!(check(&none), Err(TokenError::NoKeyId));
    let empty = with_header(|header| header["kid"] = "".into());
    assert_eq!(check(&empty), Err(TokenError::NoKeyId));
    let number = with_header(|header| header["kid"] = 1.into());
    assert_eq!(check(&number), Err(TokenError::Malformed));
    let traversal = with_header(|header| header["kid"] = "../key-1".into());
    assert_eq!(check(&traversal), Err(TokenError::UnknownKey));
}

#[test]
fn critical_extensions_are_refused() {
    let token = with_header(|header| header["crit"] = json!(["b64"]));
    assert_eq!(check(&token), Err(TokenError::CriticalExtension));
}

#[test]
fn the_audience_is_exactly_our_app_id() {
    for (audience, reason) in [
        (json!([APP_ID]), TokenError::Claim("aud")),
        (json!([APP_ID, "another"]), TokenError::Claim("aud")),
        (json!({"id": APP_ID}), TokenError::Claim("aud")),
        (json!(null), TokenError::Claim("aud")),
        (json!("another"), TokenError::Audience),
        (json!(""), TokenError::Audience),
        (json!(format!("{APP_ID} ")), TokenError::Audience),
    ] {
        let token = with_claims(|claims| claims["aud"] = audience.clone());
        assert_eq!(check(&token), Err(reason), "{audience}");
    }
    let token = with_claims(|claims| remove(claims, "aud"));
    assert_eq!(check(&token), Err(TokenError::Claim("aud")));
}

#[test]
fn times_are_required_and_numeric() {
    for name in ["exp", "nbf"] {
        let missing = with_claims(|claims| remove(claims, name));
        assert_eq!(check(&missing), Err(TokenError::Claim(name)));
        for wrong in [
            json!("1900000000"),
            json!(null),
            json!(true),
            json!([1_900_000_000]),
            json!({}),
            json!(-1),
            json!(1e300),
            json!(253_402_300_800_u64),
        ] {
            let token = with_claims(|claims| claims[name] = wrong.clone());
            assert_eq!(
                check(&token),
                Err(TokenError::Claim(name)),
                "{name}: {wrong}"
            );
        }
    }
}

#[test]
fn numbers_beyond_json_are_malformed() {
    let payload = claims(now()).to_string();
    for number in ["1e999", "NaN", "Infinity", "0x7fffffff", "01"] {
        let payload = payload.replace("1800003900", number);
        let token = ISSUER.sign(&ISSUER.header().to_string(), &payload);
        assert_eq!(check(&token), Err(TokenError::Malformed), "{number}");
    }
}

#[test]
fn a_fraction_of_a_second_is_a_number() {
    let token = with_claims(|claims| claims["exp"] = json!(1_800_003_900.5));
    assert!(check(&token).is_ok());
}

#[test]
fn tokens_expire_and_start_with_five_minutes_of_leeway() {
    let token = with_claims(|_| ());
    let expires = now() + Duration::from_secs(3900);
    let leeway = Duration::from_secs(300);
    let second = Duration::from_secs(1);
    assert!(check_at(&token, expires + leeway - second).is_ok());
    assert_eq!(check_at(&token, expires + leeway), Err(TokenError::Expired));
    assert!(check_at(&token, now() - leeway).is_ok());
    assert_eq!(
        check_at(&token, now() - leeway - second),
        Err(TokenError::NotYetValid)
    );
}

#[test]
fn the_leeway_can_be_less() {
    let strict = policy().with_leeway(Duration::ZERO).unwrap();
    let refused = TokenValidator::new(strict).validate(
        &with_claims(|_| ()),
        &ISSUER.key_set(),
        now() + Duration::from_secs(3900),
    );
    assert_eq!(refused, Err(TokenError::Expired));
}

#[test]
fn only_listed_issuers_are_accepted() {
    for (issuer, reason) in [
        (json!("https://api.botframework.com/"), TokenError::Issuer),
        (json!("https://evil.example"), TokenError::Issuer),
        (
            json!(["https://api.botframework.com"]),
            TokenError::Claim("iss"),
        ),
    ] {
        let token = with_claims(|claims| claims["iss"] = issuer.clone());
        assert_eq!(check(&token), Err(reason), "{issuer}");
    }
    let graph = with_claims(|claims| claims["iss"] = "https://graph.microsoft.com".into());
    assert!(check(&graph).is_ok());

    let emulator = with_claims(|claims| claims["iss"] = "http://127.0.0.1:8400".into());
    assert_eq!(check(&emulator), Err(TokenError::Issuer));
    let configured = policy().with_issuer("http://127.0.0.1:8400").unwrap();
    assert!(
        TokenValidator::new(configured)
            .validate(&emulator, &ISSUER.key_set(), now())
            .is_ok()
    );
}

#[test]
fn only_listed_tenants_are_accepted() {
    let restricted = TokenValidator::new(policy().with_tenant(TENANT.to_uppercase()).unwrap());
    let check = |token: &str| restricted.validate(token, &ISSUER.key_set(), now());
    assert!(check(&with_claims(|_| ())).is_ok());
    let other = with_claims(|claims| claims["tid"] = "another".into());
    assert_eq!(check(&other), Err(TokenError::Tenant));
    let missing = with_claims(|claims| remove(claims, "tid"));
    assert_eq!(check(&missing), Err(TokenError::Claim("tid")));
    let list = with_claims(|claims| claims["tid"] = json!([TENANT]));
    assert_eq!(check(&list), Err(TokenError::Claim("tid")));
}

#[test]
fn long_tokens_are_refused_unread() {
    let padded = with_claims(|claims| claims["pad"] = "x".repeat(MAX_TOKEN_BYTES).into());
    assert_eq!(check(&padded), Err(TokenError::TooLong));
    assert_eq!(
        check(&"a".repeat(MAX_TOKEN_BYTES + 1)),
        Err(TokenError::TooLong)
    );
    let fits = with_claims(|claims| claims["pad"] = "x".repeat(4096).into());
    assert!(check(&fits).is_ok());
}

#[test]
fn garbage_is_malformed() {
    for garbage in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "e30.e30.",
        "ünï.cödé.☎",
        "Bearer x.y.z",
    ] {
        assert_eq!(check(garbage), Err(TokenError::Malformed), "{garbage}");
    }
}

#[test]
fn payload_and_header_must_be_objects() {
    let header = ISSUER.header().to_string();
    let array = json!([
        "https://api.botframework.com",
        APP_ID,
        TENANT,
        1_900_000_000,
        1
    ]);
    for payload in [
        array.to_string(),
        "null".into(),
        "7".into(),
        format!("[{}]", claims(now())),
    ] {
        assert_eq!(
            check(&ISSUER.sign(&header, &payload)),
            Err(TokenError::Malformed)
        );
    }
    let list = json!(["RS256", ISSUER.kid, null]);
    let token = ISSUER.sign(&list.to_string(), &claims(now()).to_string());
    assert_eq!(check(&token), Err(TokenError::Malformed));
}

#[test]
fn a_claim_given_twice_is_refused() {
    let payload = claims(now())
        .to_string()
        .replacen('{', &format!(r#"{{"aud":"{APP_ID}","#), 1);
    let token = ISSUER.sign(&ISSUER.header().to_string(), &payload);
    assert_eq!(check(&token), Err(TokenError::Malformed));
}

#[test]
fn a_tampered_payload_is_refused() {
    let token = with_claims(|_| ());
    let mut parts = token.split('.');
    let (header, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
    let mut other = claims(now());
    other["exp"] = 1_800_100_000_u64.into();
    let tampered = format!("{header}.{}.{signature}", encode(other.to_string()));
    assert_eq!(check(&tampered), Err(TokenError::Signature));
}

#[test]
fn another_key_under_a_known_id_is_refused() {
    let token = NEXT.sign(&ISSUER.header().to_string(), &claims(now()).to_string());
    assert_eq!(check(&token), Err(TokenError::Signature));
}

#[test]
fn no_reason_repeats_the_token() {
    let secret = "hunter2hunter2";
    let token = with_claims(|claims| claims["iss"] = secret.into());
    let reason = check(&token).unwrap_err();
    assert!(!format!("{reason} {reason:?}").contains(secret));
}

proptest! {
    #[test]
    fn no_text_is_accepted_or_panics(token in "\\PC{0,64}(\\.\\PC{0,64}){0,3}") {
        prop_assert!(check(&token).is_err());
    }

    #[test]
    fn no_claims_of_a_stranger_are_accepted(payload in "[\\[{\"a-z:0-9,}\\]]{0,80}") {
        let token = ISSUER.sign(&ISSUER.header().to_string(), &payload);
        prop_assert!(check(&token).is_err());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(at in 0_usize..600, bit in 0_u8..7) {
        let mut token = with_claims(|_| ()).into_bytes();
        let at = at % token.len();
        token[at] ^= 1 << bit;
        let Ok(token) = String::from_utf8(token) else { return Ok(()) };
        prop_assert!(check(&token).is_err());
    }
}
