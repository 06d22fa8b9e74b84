use crate::common::{canary, file_keys, make, said, vault_in};
use landfall_model::{
    entropy::SystemEntropy,
    vault::{Sealed, Vault, VaultError},
};
use landfall_vault::{CommandKeys, EnvKeys, Envelope, MasterKeys, Missing};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

fn envelope(keys: impl MasterKeys) -> Envelope {
    Envelope::new(Arc::new(keys), Arc::new(SystemEntropy))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_first_seal_makes_a_key_file_that_only_its_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    let vault = envelope(file_keys(&path, make().await));
    assert_eq!(vault.keys().versions().await.unwrap(), []);
    assert!(!path.exists(), "looking makes nothing");
    let sealed = vault.seal("record", &canary()).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    vault.keys().add().await.unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }

    // Another process, now or after a restart.
    let other = envelope(file_keys(&path, Missing::Refuse));
    assert_eq!(other.open("record", &sealed).await.unwrap(), canary());
    let versions = other.keys().versions().await.unwrap();
    assert_eq!(versions.len(), 2);
    assert!(versions.iter().all(|one| one.created_at.is_some()));
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    let vault = envelope(file_keys(&path, make().await));
    let sealed = vault.seal("record", &canary()).await.unwrap();
    for wrong in [0o640, 0o604, 0o660, 0o602] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wrong)).unwrap();
        let error = vault.open("record", &sealed).await.unwrap_err();
        assert!(said(&error).contains("chmod 600"), "{error:?}");
        assert!(vault.seal("record", &canary()).await.is_err());
        assert!(vault.keys().add().await.is_err());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(vault.open("record", &sealed).await.unwrap(), canary());
}

#[tokio::test]
async fn a_lost_key_file_is_not_replaced_where_secrets_need_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    let vault = envelope(file_keys(&path, Missing::Refuse));
    let error = vault.seal("record", &canary()).await.unwrap_err();
    assert!(matches!(error, VaultError::NoKey { .. }), "{error:?}");
    assert!(vault.keys().add().await.is_err());
    assert!(!path.exists());
}

/// Its disk was unmounted under a server that runs: a new key of the same
/// version would stand beside what the old one sealed.
#[tokio::test]
async fn a_key_file_that_vanishes_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (
        folder.path().join("vault.key"),
        folder.path().join("elsewhere"),
    );
    let made = vault_in(folder.path()).await;
    let sealed = made.seal("record", &canary()).await.unwrap();
    let read = vault_in(folder.path()).await;
    assert_eq!(read.open("record", &sealed).await.unwrap(), canary());
    fs::rename(&path, &elsewhere).unwrap();
    for vault in [made, read] {
        let error = vault.seal("record", &canary()).await.unwrap_err();
        assert!(said(&error).contains("mount it again"), "{error:?}");
        assert!(!path.exists());
        fs::rename(&elsewhere, &path).unwrap();
        let again = vault.seal("record", &canary()).await.unwrap();
        assert_eq!(vault.open("record", &again).await.unwrap(), canary());
        fs::rename(&path, &elsewhere).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_key_file_is_refused_without_repeating_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    let keys = file_keys(&path, make().await);
    keys.current().await.unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let line = good.lines().last().unwrap();
    for text in [
        String::new(),
        "# nothing\n".to_owned(),
        "hunter2\n".to_owned(),
        line.replacen('1', "0", 1),
        line.replacen('1', "one", 1),
        format!("{line}\n{line}\n"),
        format!("{line} more"),
        line[..line.len() - 8].to_owned(),
        "1 2026-01-01T00:00:00.000Z aHVudGVyMg==\n".to_owned(),
    ] {
        fs::write(&path, &text).unwrap();
        let error = keys.current().await.unwrap_err();
        let said = said(&error);
        assert!(
            !said.contains("hunter2") && !said.contains("aHVudGVyMg"),
            "{said}"
        );
        let key = line.split_whitespace().last().unwrap();
        assert!(!said.contains(&key[..key.len() - 8]), "{said}");
        assert!(keys.add().await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "left as it is");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(keys.current().await.is_err());
}

/// Of several processes that begin together, or rotate together, each sees the
/// keys of all: none overwrites another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_make_keys_together_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    let missing = make().await;
    let tasks = (0..8).map(|number| {
        let vault = envelope(file_keys(&path, missing.clone()));
        tokio::spawn(async move {
            let record = format!("record-{number}");
            let before = vault.seal(&record, &canary()).await.unwrap();
            vault.keys().add().await.unwrap();
            let after = vault.seal(&record, &canary()).await.unwrap();
            (record, before, after)
        })
    });
    let vault = envelope(file_keys(&path, Missing::Refuse));
    for task in tasks.collect::<Vec<_>>() {
        let (record, before, after) = task.await.unwrap();
        assert_eq!(vault.open(&record, &before).await.unwrap(), canary());
        assert_eq!(vault.open(&record, &after).await.unwrap(), canary());
    }
    assert_eq!(vault.keys().current().await.unwrap(), 9);
}

fn from_env(value: &str) -> Result<EnvKeys, VaultError> {
    EnvKeys::holding("KEYS", Some(value.to_owned()), Arc::new(SystemEntropy))
}

const FIRST: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "2:HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHgA=";

#[tokio::test]
async fn a_variable_holds_versions_and_the_newest_seals() {
    let old = envelope(from_env(FIRST).unwrap());
    let sealed = old.seal("record", &canary()).await.unwrap();
    assert_eq!(old.keys().add().await.unwrap(), None);
    assert!(old.keys().how_to_add().contains(",2:"));

    let both = envelope(from_env(&format!("{FIRST}, {SECOND}")).unwrap());
    assert_eq!(both.open("record", &sealed).await.unwrap(), canary());
    let resealed = both.reseal("record", &sealed).await.unwrap();
    assert_eq!(resealed.key_version(), 2);

    let new = envelope(from_env(SECOND).unwrap());
    assert_eq!(new.open("record", &resealed).await.unwrap(), canary());
    let error = new.open("record", &sealed).await.unwrap_err();
    assert!(
        matches!(error, VaultError::UnknownVersion { version: 1 }),
        "{error:?}"
    );
    // The same version with another key: another installation's.
    let other = envelope(from_env(&SECOND.replacen('2', "1", 1)).unwrap());
    let error = other.open("record", &sealed).await.unwrap_err();
    assert!(matches!(error, VaultError::Refused { .. }), "{error:?}");
}

#[test]
fn a_variable_without_keys_is_refused_without_repeating_it() {
    let none = EnvKeys::holding("KEYS", None, Arc::new(SystemEntropy));
    assert!(matches!(none.err(), Some(VaultError::NoKey { .. })));
    assert!(matches!(from_env("").err(), Some(VaultError::NoKey { .. })));
    for value in [
        "hunter2hunter2",
        "1:hunter2",
        "0:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        &format!("{FIRST},{FIRST}"),
        &format!("{FIRST},"),
    ] {
        let error = from_env(value).err().unwrap();
        assert!(!said(&error).contains("hunter2"), "{error:?}");
        assert!(!said(&error).contains("AAECAwQF"), "{error:?}");
    }
}

/// A key service in a shell script: it keeps data keys under handles of its
/// own, and gives one back for the record that it was wrapped for only.
const SERVICE: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
read -r request
field() { printf '%s' "$request" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
current=$(cat current)
case $(field operation) in
  describe) printf '{"current":%s,"versions":[%s]}' "$current" "$(seq -s, 1 "$current")" ;;
  add) echo $((current + 1)) > current; printf '{"version":%s}' $((current + 1)) ;;
  wrap)
    handle=$(date +%s%N)$$
    printf '%s %s' "$(field context)" "$(field key)" > "held-$current-$handle"
    printf '{"version":%s,"wrapped":"%s"}' "$current" "$(printf '%s' "$handle" | base64 -w0)" ;;
  unwrap)
    held="held-$(field version)-$(field wrapped | base64 -d)"
    [ -f "$held" ] || exit 3
    read -r context key < "$held"
    [ "$context" = "$(field context)" ] || exit 3
    printf '{"key":"%s"}' "$key" ;;
esac
"#;

fn script(folder: &Path, text: &str) -> Vec<String> {
    let path: PathBuf = folder.join("service.sh");
    fs::write(&path, text).unwrap();
    fs::write(folder.join("current"), "1\n").unwrap();
    // Through the shell, which opens it for reading: a file that was written
    // just now may still be open for writing in a child of another test.
    vec!["/bin/sh".to_owned(), path.display().to_string()]
}

fn command(folder: &Path, text: &str) -> Envelope {
    let command = script(folder, text);
    envelope(CommandKeys::new(&command, Duration::from_secs(20)).unwrap())
}

#[tokio::test]
async fn a_command_stands_for_a_key_service() {
    let folder = tempfile::tempdir().unwrap();
    let vault = command(folder.path(), SERVICE);
    let sealed = vault.seal("org/sec/x", &canary()).await.unwrap();
    assert_eq!(vault.open("org/sec/x", &sealed).await.unwrap(), canary());
    assert_eq!(vault.keys().add().await.unwrap(), Some(2));
    let resealed = vault.reseal("org/sec/x", &sealed).await.unwrap();
    assert_eq!(resealed.key_version(), 2);
    assert_eq!(vault.open("org/sec/x", &resealed).await.unwrap(), canary());
    let error = vault.open("org/sec/y", &resealed).await.unwrap_err();
    assert!(matches!(error, VaultError::Refused { .. }), "{error:?}");
    let unknown = Sealed::parse(sealed.as_str().replacen("lf1.1", "lf1.9", 1)).unwrap();
    assert!(vault.open("org/sec/x", &unknown).await.is_err());
    assert_eq!(vault.keys().versions().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_command_that_fails_or_hangs_is_an_error_in_time() {
    for (text, expected) in [
        ("echo the key service is asleep >&2; exit 1", "is asleep"),
        ("exit 0", "did not answer with the JSON"),
        ("echo nonsense", "did not answer with the JSON"),
        ("cat > /dev/null; exec yes", "ended with"),
        ("echo '{\"version\":1,\"wrapped\":\"\"}'", "did not answer"),
        ("kill -9 $$", "ended with"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let vault = command(folder.path(), text);
        let error = vault.seal("record", &canary()).await.unwrap_err();
        assert!(said(&error).contains(expected), "{text}: {error:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let hangs = script(folder.path(), "exec sleep 1000");
    let keys = CommandKeys::new(&hangs, Duration::from_millis(50)).unwrap();
    let error = envelope(keys).seal("record", &canary()).await.unwrap_err();
    assert!(said(&error).contains("did not answer within"), "{error:?}");

    assert!(CommandKeys::new(&[], Duration::from_secs(1)).is_err());
    let missing = ["/nonexistent/service".to_owned()];
    let keys = CommandKeys::new(&missing, Duration::from_secs(1)).unwrap();
    assert!(said(&keys.current().await.unwrap_err()).contains("cannot be run"));
}

/// It would look like a key service and store every data key in the clear.
#[tokio::test]
async fn a_command_that_only_echoes_the_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let echo = r#"sed 's/.*"key":"\([^"]*\)".*/{"version":1,"wrapped":"\1"}/'"#;
    let vault = command(folder.path(), echo);
    assert!(vault.seal("record", &canary()).await.is_err());
}
