-- Sealed secrets, and the issuer's signing keys. Nothing here can be read
-- without the master key, which is not in the database.

CREATE TABLE secrets (
    -- `sec_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose secret.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- Which connection uses it; absent while that one is being made.
    connection_id TEXT COLLATE "C",
    -- Which version of the master key wraps its data key: a rotation finds by
    -- it what is left to be sealed anew, of all organizations.
    key_version BIGINT NOT NULL,
    -- Optimistic lock: a rotation does not undo a change made meanwhile.
    version BIGINT NOT NULL,
    -- When it was stored first.
    created_at BIGINT NOT NULL,
    -- The record as JSON, with the sealed secret.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id)
);
CREATE INDEX secrets_key_version ON secrets (key_version, id);

CREATE TABLE signing_keys (
    -- The `kid`: the public key's RFC 7638 thumbprint.
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- `published`, `active`, `retiring` or `retired`.
    state TEXT COLLATE "C" NOT NULL,
    -- Which version of the master key wraps its data key; absent when the
    -- private key is gone.
    key_version BIGINT,
    -- Optimistic lock.
    version BIGINT NOT NULL,
    -- When the key was made.
    created_at BIGINT NOT NULL,
    -- The key as JSON, its private part sealed.
    body TEXT NOT NULL
);
-- One that signs and one that will: two servers that begin a rotation together
-- begin one.
CREATE UNIQUE INDEX signing_keys_state ON signing_keys (state) WHERE state IN ('published', 'active');
CREATE INDEX signing_keys_served ON signing_keys (created_at, id);
