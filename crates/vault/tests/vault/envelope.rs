use crate::common::{CANARY, canary, said, vault_in};
use landfall_model::vault::{Plain, Sealed, Vault, VaultError};
use landfall_vault::MasterKeys;
use proptest::prelude::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_opens_and_opens_again_after_every_rotation(
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        record in "[a-z_/0-9-]{1,60}",
        rotations in 0_u32..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let plain = Plain::new(bytes);
        runtime().block_on(async {
            let vault = vault_in(folder.path()).await;
            let mut sealed = vault.seal(&record, &plain).await.unwrap();
            assert_eq!(sealed.key_version(), 1);
            let mut older = vec![sealed.clone()];
            for rotation in 0..rotations {
                assert_eq!(vault.keys().add().await.unwrap(), Some(rotation + 2));
                sealed = vault.reseal(&record, &sealed).await.unwrap();
                assert_eq!(sealed.key_version(), rotation + 2);
                older.push(sealed.clone());
            }
            for one in older {
                assert_eq!(vault.open(&record, &one).await.unwrap(), plain);
            }
        });
    }

    /// Any one character of it changed, or cut off anywhere: it is no sealed
    /// text any more, or it does not open.
    #[test]
    fn what_was_altered_does_not_open(place in 0_usize..10_000, with in "[A-Za-z0-9_.-]") {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let vault = vault_in(folder.path()).await;
            let sealed = vault.seal("record", &canary()).await.unwrap();
            let text = sealed.as_str();
            let place = place % text.len();
            let altered = format!("{}{with}{}", &text[..place], &text[place + 1..]);
            let shorter = &text[..place];
            for changed in [altered.as_str(), shorter] {
                if changed == text {
                    continue;
                }
                if let Ok(changed) = Sealed::parse(changed) {
                    let error = vault.open("record", &changed).await.unwrap_err();
                    assert!(
                        matches!(error, VaultError::Refused { .. } | VaultError::UnknownVersion { .. }),
                        "{error:?}"
                    );
                    assert!(!said(&error).contains(CANARY));
                }
            }
        });
    }
}

#[tokio::test]
async fn a_ciphertext_moved_to_another_record_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let sealed = vault
        .seal("org_a/sec_1/azure-client-secret", &canary())
        .await
        .unwrap();
    for record in [
        "org_b/sec_1/azure-client-secret",
        "org_a/sec_2/azure-client-secret",
        "org_a/sec_1/gcp-service-account-key",
        "",
    ] {
        let error = vault.open(record, &sealed).await.unwrap_err();
        assert!(matches!(error, VaultError::Refused { .. }), "{error:?}");
    }
    vault.keys().add().await.unwrap();
    let error = vault.reseal("org_b/sec_1", &sealed).await.unwrap_err();
    assert!(matches!(error, VaultError::Refused { .. }), "{error:?}");
}

/// A data key of one and the body of the other: both of the same record.
#[tokio::test]
async fn halves_of_two_ciphertexts_do_not_make_a_third() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let [first, second] = [
        vault.seal("record", &canary()).await.unwrap(),
        vault.seal("record", &canary()).await.unwrap(),
    ];
    assert_ne!(first, second, "every seal has a key and nonces of its own");
    let part = |sealed: &Sealed, index: usize| {
        let parts: Vec<&str> = sealed.as_str().split('.').collect();
        parts[index].to_owned()
    };
    let mixed = format!("lf1.1.{}.{}", part(&first, 2), part(&second, 3));
    let mixed = Sealed::parse(mixed).unwrap();
    let error = vault.open("record", &mixed).await.unwrap_err();
    assert!(matches!(error, VaultError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn the_secret_is_in_nothing_that_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let sealed = vault.seal("record", &canary()).await.unwrap();
    let opened = vault.open("record", &sealed).await.unwrap();
    for text in [
        format!("{sealed:?}"),
        sealed.as_str().to_owned(),
        serde_json::to_string(&sealed).unwrap(),
        format!("{opened:?}"),
        format!("{:?}", Some(&opened)),
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert_eq!(opened.expose_text().unwrap(), CANARY);
}

#[tokio::test]
async fn a_file_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault_in(folder.path()).await;
    let error = vault
        .seal("record", &Plain::new(vec![7; 64 * 1024 + 1]))
        .await
        .unwrap_err();
    assert!(matches!(error, VaultError::TooLong { .. }), "{error:?}");
}

/// What this format sealed must open for ever. The text was made by another
/// implementation of AES-256-GCM (Python's cryptography), from the words in
/// docs/decisions/0006-vault-and-issuer.md.
#[tokio::test]
async fn the_format_does_not_change() {
    let key = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let keys = landfall_vault::EnvKeys::holding(
        "KEYS",
        Some(key.to_owned()),
        std::sync::Arc::new(landfall_model::entropy::SystemEntropy),
    )
    .unwrap();
    assert_eq!(keys.current().await.unwrap(), 1);
    let vault = landfall_vault::Envelope::new(
        std::sync::Arc::new(keys),
        std::sync::Arc::new(landfall_model::entropy::SystemEntropy),
    );
    let sealed = Sealed::parse(include_str!("sealed-v1.txt").trim()).unwrap();
    let opened = vault.open("org/sec/purpose", &sealed).await.unwrap();
    assert_eq!(opened.expose_text().unwrap(), "an old secret");
}
