-- The foundation: tenants, access, plans, the journal, the audit log, work.
--
-- A noun is one row: its document in `body` (JSON, as the API serves it) and,
-- beside it, the columns by which it is found, kept unique or locked. Those
-- columns repeat the document. Times are milliseconds since 1970-01-01 UTC.
-- Ids are `<prefix>_<uuid v7>`: they sort by creation.
--
-- A child names its parent together with its organization, so that not even a
-- mistake in a use case can tie one tenant's row to another tenant's.

CREATE TABLE organizations (
    -- `org_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- When the organization was made.
    created_at INTEGER NOT NULL,
    -- The organization as JSON.
    body TEXT NOT NULL
) STRICT;

CREATE TABLE members (
    -- `mem_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose member.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- Optimistic lock: a write names the version that it read.
    version INTEGER NOT NULL,
    -- When the member was added.
    created_at INTEGER NOT NULL,
    -- The member as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id)
) STRICT;

CREATE TABLE tokens (
    -- `tok_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Where the token is valid.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- Whose token.
    member_id TEXT NOT NULL,
    -- SHA-256 of the secret, by which a request's token is found. The secret
    -- itself is never stored.
    secret_hash TEXT NOT NULL,
    -- When it was revoked; absent while it is not. Counts instead of the
    -- document's, which is written once.
    revoked_at INTEGER,
    -- When the token was made.
    created_at INTEGER NOT NULL,
    -- The token as JSON, without its secret.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX tokens_secret_hash ON tokens (secret_hash);

CREATE TABLE sessions (
    -- `ses_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Where the session is valid.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- The token that opened it.
    token_id TEXT NOT NULL,
    -- SHA-256 of the cookie's secret.
    secret_hash TEXT NOT NULL,
    -- When it ends by itself; the next sign-in then removes the row.
    expires_at INTEGER NOT NULL,
    -- The session as JSON, without its secret.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, token_id) REFERENCES tokens (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX sessions_secret_hash ON sessions (secret_hash);
CREATE INDEX sessions_expiry ON sessions (organization_id, expires_at);

CREATE TABLE connections (
    -- `con_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose connection.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- Unique in the organization among those not disconnected.
    name TEXT NOT NULL,
    -- Never reused, by no organization, not even after disconnecting: a second
    -- holder would be the confused deputy that it protects against.
    external_id TEXT NOT NULL,
    -- `pending`, `propagating`, `connected`, `degraded`, `revoked` or
    -- `disconnected`.
    state TEXT NOT NULL,
    -- Optimistic lock.
    version INTEGER NOT NULL,
    -- When the connection was asked for.
    created_at INTEGER NOT NULL,
    -- The connection as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX connections_name ON connections (organization_id, name) WHERE state <> 'disconnected';
CREATE UNIQUE INDEX connections_external_id ON connections (external_id);

CREATE TABLE check_runs (
    -- `chk_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose connection was checked.
    organization_id TEXT NOT NULL,
    -- Which connection was checked.
    connection_id TEXT NOT NULL,
    -- When the run began; the history is read newest first.
    started_at INTEGER NOT NULL,
    -- The run with all its checks as JSON.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id)
) STRICT;
CREATE INDEX check_runs_history ON check_runs (organization_id, connection_id, started_at, id);

CREATE TABLE applications (
    -- `app_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose application.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- Unique in the organization among the active ones.
    name TEXT NOT NULL,
    -- `active` or `deleted`.
    state TEXT NOT NULL,
    -- Optimistic lock.
    version INTEGER NOT NULL,
    -- When the application was made.
    created_at INTEGER NOT NULL,
    -- The application with its Score files as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX applications_name ON applications (organization_id, name) WHERE state = 'active';

CREATE TABLE environments (
    -- `env_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose environment.
    organization_id TEXT NOT NULL,
    -- What runs in it.
    application_id TEXT NOT NULL,
    -- In which account.
    connection_id TEXT NOT NULL,
    -- Unique in the application among the active ones.
    name TEXT NOT NULL,
    -- `active` or `deleted`.
    state TEXT NOT NULL,
    -- Optimistic lock.
    version INTEGER NOT NULL,
    -- When the environment was made.
    created_at INTEGER NOT NULL,
    -- The environment as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, application_id) REFERENCES applications (organization_id, id),
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX environments_name ON environments (application_id, name) WHERE state = 'active';

CREATE TABLE resources (
    -- Whose resource.
    environment_id TEXT NOT NULL REFERENCES environments (id),
    -- Its place in the environment's graph.
    address TEXT NOT NULL,
    -- When its state was last recorded.
    updated_at INTEGER NOT NULL,
    -- The recorded state as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (environment_id, address)
) STRICT;

CREATE TABLE plans (
    -- `pln_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose plan.
    organization_id TEXT NOT NULL,
    -- What it changes.
    environment_id TEXT NOT NULL,
    -- `proposed`, `approved`, `used` or `stale`.
    state TEXT NOT NULL,
    -- Optimistic lock: of two rollouts that take one plan, one wins.
    version INTEGER NOT NULL,
    -- When it was planned; the history is read newest first.
    created_at INTEGER NOT NULL,
    -- The plan with graph and actions as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, environment_id) REFERENCES environments (organization_id, id)
) STRICT;
CREATE INDEX plans_history ON plans (organization_id, environment_id, created_at, id);

CREATE TABLE rollouts (
    -- `rol_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose rollout.
    organization_id TEXT NOT NULL,
    -- What it changes.
    environment_id TEXT NOT NULL,
    -- The approved plan that it runs.
    plan_id TEXT NOT NULL,
    -- `queued`, `running`, `canceling`, `succeeded`, `failed` or `canceled`.
    state TEXT NOT NULL,
    -- Optimistic lock.
    version INTEGER NOT NULL,
    -- When it was started; the history is read newest first.
    created_at INTEGER NOT NULL,
    -- The rollout as JSON; its progress is in `events`.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, environment_id) REFERENCES environments (organization_id, id),
    FOREIGN KEY (organization_id, plan_id) REFERENCES plans (organization_id, id)
) STRICT;
CREATE INDEX rollouts_history ON rollouts (organization_id, created_at, id);
CREATE INDEX rollouts_of_environment ON rollouts (organization_id, environment_id, created_at, id);

CREATE TABLE streams (
    -- Whose journal: a rollout's or a destruction's id.
    stream TEXT NOT NULL PRIMARY KEY,
    -- The number of its newest event. Appending locks this row, so that the
    -- numbers have no gaps and no doubles whoever appends at the same time.
    last_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
    -- Whose journal.
    stream TEXT NOT NULL REFERENCES streams (stream),
    -- Counts from 1 in each stream, without gaps.
    seq INTEGER NOT NULL,
    -- When it happened.
    at INTEGER NOT NULL,
    -- Which resource it is about; absent for events of the whole run.
    address TEXT,
    -- What happened, as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
-- INSERT OR REPLACE deletes the old row without firing a delete trigger.
CREATE TRIGGER events_no_replace BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;

CREATE TABLE retained (
    -- `ret_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose resource.
    organization_id TEXT NOT NULL,
    -- In which account it is.
    connection_id TEXT NOT NULL,
    -- Which environment made it.
    environment_id TEXT NOT NULL,
    -- `retained`, `destroying`, `destruction-failed`, `destroyed` or
    -- `forgotten`.
    state TEXT NOT NULL,
    -- Optimistic lock.
    version INTEGER NOT NULL,
    -- Since when it is no longer wanted; the list is read newest first.
    since INTEGER NOT NULL,
    -- The retained resource as JSON.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id),
    FOREIGN KEY (organization_id, environment_id) REFERENCES environments (organization_id, id)
) STRICT;
CREATE INDEX retained_history ON retained (organization_id, since, id);

CREATE TABLE audit_entries (
    -- Whose audit log.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- Counts from 1 in each organization, without gaps.
    seq INTEGER NOT NULL,
    -- When it was done.
    at INTEGER NOT NULL,
    -- The entry's own hash, which the next entry names as the one before.
    hash TEXT NOT NULL,
    -- The entry as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (organization_id, seq)
) STRICT;
CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit_entries is append-only'); END;
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit_entries is append-only'); END;
CREATE TRIGGER audit_entries_no_replace BEFORE INSERT ON audit_entries
WHEN EXISTS (SELECT 1 FROM audit_entries WHERE organization_id = NEW.organization_id AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'audit_entries is append-only'); END;

CREATE TABLE idempotency (
    -- Whose request.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- The key that the client chose.
    key TEXT NOT NULL,
    -- Digest of method, path, member and body: the same key with another
    -- request is refused.
    request TEXT NOT NULL,
    -- The HTTP status that was answered.
    status INTEGER NOT NULL,
    -- From when the key may be used anew.
    expires_at INTEGER NOT NULL,
    -- The body that was answered.
    body TEXT NOT NULL,
    PRIMARY KEY (organization_id, key)
) STRICT;
CREATE INDEX idempotency_expiry ON idempotency (organization_id, expires_at);

CREATE TABLE work (
    -- `wrk_…`
    id TEXT NOT NULL PRIMARY KEY,
    -- For whom it is done.
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- `rollout`, `destruction`, `detect` or `verify`: workers claim by kind.
    kind TEXT NOT NULL,
    -- `<kind>/<subject>`: one row per subject.
    key TEXT NOT NULL,
    -- From when it may be claimed.
    run_at INTEGER NOT NULL,
    -- Counts claims of this row; a write under an older one is refused.
    epoch INTEGER NOT NULL,
    -- Claims since it was last finished or postponed.
    attempts INTEGER NOT NULL,
    -- Until when the newest claim holds; absent while nobody holds it.
    lease_until INTEGER,
    -- When to run once more after the running claim ends, because it was
    -- enqueued meanwhile; absent when it was not.
    again_at INTEGER,
    -- The job as JSON.
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX work_key ON work (key);
CREATE INDEX work_due ON work (run_at, id);
