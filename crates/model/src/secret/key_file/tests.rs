use super::*;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::OnceLock;

fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        )
    })
}

fn file() -> Value {
    json!({
        "type": "service_account",
        "project_id": "my-project-123",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": pem(),
        "client_email": "deployer@my-project-123.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://attacker.example/token",
        "universe_domain": "googleapis.com",
    })
}

fn expected() -> ProjectId {
    "my-project-123".parse().unwrap()
}

fn parse(file: &Value) -> Result<ServiceAccountKey, KeyError> {
    parse_key(file.to_string().as_bytes(), Some(&expected()))
}

fn with(field: &str, value: Value) -> Value {
    let mut file = file();
    file[field] = value;
    file
}

#[test]
fn a_key_as_google_gives_it_is_taken_in_parts() {
    let key = parse(&file()).unwrap();
    assert_eq!(key.project_id, expected());
    assert_eq!(
        key.service_account,
        "deployer@my-project-123.iam.gserviceaccount.com"
    );
    assert!(RsaKeyPair::from_pkcs8(key.private_key.expose()).is_ok());
    assert!(!format!("{key:?}").contains("PRIVATE"));
    assert!(parse_key(file().to_string().as_bytes(), None).is_ok());
}

#[test]
fn each_fault_of_a_file_has_its_own_error() {
    let short = {
        // A well-formed PKCS#8 of something that is not RSA.
        let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        )
        .unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
            STANDARD.encode(der.as_ref())
        )
    };
    let table: Vec<(Value, KeyError)> = vec![
        (
            with("type", json!("authorized_user")),
            KeyError::Type {
                found: "authorized_user".into(),
            },
        ),
        (
            with("type", Value::Null),
            KeyError::Missing { field: "type" },
        ),
        (
            with("universe_domain", json!("other.example")),
            KeyError::Universe {
                expected: "googleapis.com",
            },
        ),
        (
            with("client_email", json!("me@example.com")),
            KeyError::Email,
        ),
        (
            with(
                "client_email",
                json!("1234-compute@developer.gserviceaccount.com"),
            ),
            KeyError::Email,
        ),
        (
            with("project_id", json!("other-project")),
            KeyError::Inconsistent {
                email: "my-project-123".into(),
                file: "other-project".into(),
            },
        ),
        (with("private_key_id", json!("abc")), KeyError::KeyId),
        (
            with("private_key_id", json!("")),
            KeyError::Missing {
                field: "private_key_id",
            },
        ),
        (
            with("private_key", Value::Null),
            KeyError::Missing {
                field: "private_key",
            },
        ),
        (with("private_key", json!("hunter2")), KeyError::Pem),
        (
            with(
                "private_key",
                json!(pem().replace("PRIVATE KEY", "RSA PRIVATE KEY")),
            ),
            KeyError::Pem,
        ),
        (
            with(
                "private_key",
                json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
            ),
            KeyError::PrivateKey,
        ),
        (with("private_key", json!(short)), KeyError::PrivateKey),
    ];
    for (file, error) in table {
        assert_eq!(parse(&file).unwrap_err(), error, "{error:?}");
        assert!(!error.remedy().is_empty());
    }
    let other: ProjectId = "another-project".parse().unwrap();
    assert_eq!(
        parse_key(file().to_string().as_bytes(), Some(&other)).unwrap_err(),
        KeyError::Project {
            found: "my-project-123".into(),
            expected: "another-project".into(),
        }
    );
}

#[test]
fn what_is_no_json_object_is_refused_without_repeating_it() {
    let canary = r#""canary-7f3a""#;
    for text in [canary, "[1]", "{", r#"{"type": 1}"#] {
        let error = parse_key(text.as_bytes(), None).unwrap_err();
        assert!(matches!(error, KeyError::NotJson { .. }), "{text}");
        assert!(!error.to_string().contains("canary"));
    }
    let twice = r#"{"type": "service_account", "type": "authorized_user"}"#;
    assert!(matches!(
        parse_key(twice.as_bytes(), None),
        Err(KeyError::NotJson { .. })
    ));
    assert_eq!(parse_key(b" \n", None), Err(KeyError::Empty));
    assert_eq!(
        parse_key(&vec![b' '; KEY_LIMIT + 1], None),
        Err(KeyError::TooLarge {
            bytes: KEY_LIMIT + 1
        })
    );
}

proptest! {
    /// No bytes make it panic, and no error repeats the private key.
    #[test]
    fn any_bytes_are_refused_or_taken(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse_key(&bytes, None);
    }

    #[test]
    fn a_mutated_file_never_shows_its_key(at in 0usize..3000, byte in any::<u8>()) {
        let mut bytes = file().to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Err(error) = parse_key(&bytes, None) {
            let said = format!("{error} {error:?}");
            prop_assert!(!said.contains("MII"), "{said}");
        }
    }
}
