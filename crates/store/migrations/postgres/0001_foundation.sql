-- The foundation: tenants, access, plans, the journal, the audit log, work.
--
-- A noun is one row: its document in `body` (JSON, as the API serves it) and,
-- beside it, the columns by which it is found, kept unique or locked. Those
-- columns repeat the document. Times are milliseconds since 1970-01-01 UTC.
-- Ids are `<prefix>_<uuid v7>`: they sort by creation.
--
-- A child names its parent together with its organization, so that not even a
-- mistake in a use case can tie one tenant's row to another tenant's.
--
-- Text that is compared has the collation "C": the same order as in SQLite,
-- whatever the cluster's language.

CREATE FUNCTION landfall_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;

CREATE TABLE organizations (
    -- `org_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- When the organization was made.
    created_at BIGINT NOT NULL,
    -- The organization as JSON.
    body TEXT NOT NULL
);

CREATE TABLE members (
    -- `mem_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose member.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- Optimistic lock: a write names the version that it read.
    version BIGINT NOT NULL,
    -- When the member was added.
    created_at BIGINT NOT NULL,
    -- The member as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id)
);

CREATE TABLE tokens (
    -- `tok_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Where the token is valid.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- Whose token.
    member_id TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the secret, by which a request's token is found. The secret
    -- itself is never stored.
    secret_hash TEXT COLLATE "C" NOT NULL,
    -- When it was revoked; absent while it is not. Counts instead of the
    -- document's, which is written once.
    revoked_at BIGINT,
    -- When the token was made.
    created_at BIGINT NOT NULL,
    -- The token as JSON, without its secret.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id)
);
CREATE UNIQUE INDEX tokens_secret_hash ON tokens (secret_hash);

CREATE TABLE sessions (
    -- `ses_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Where the session is valid.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- The token that opened it.
    token_id TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the cookie's secret.
    secret_hash TEXT COLLATE "C" NOT NULL,
    -- When it ends by itself; the next sign-in then removes the row.
    expires_at BIGINT NOT NULL,
    -- The session as JSON, without its secret.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, token_id) REFERENCES tokens (organization_id, id)
);
CREATE UNIQUE INDEX sessions_secret_hash ON sessions (secret_hash);
CREATE INDEX sessions_expiry ON sessions (organization_id, expires_at);

CREATE TABLE connections (
    -- `con_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose connection.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- Unique in the organization among those not disconnected.
    name TEXT COLLATE "C" NOT NULL,
    -- Never reused, by no organization, not even after disconnecting: a second
    -- holder would be the confused deputy that it protects against.
    external_id TEXT COLLATE "C" NOT NULL,
    -- `pending`, `propagating`, `connected`, `degraded`, `revoked` or
    -- `disconnected`.
    state TEXT COLLATE "C" NOT NULL,
    -- Optimistic lock.
    version BIGINT NOT NULL,
    -- When the connection was asked for.
    created_at BIGINT NOT NULL,
    -- The connection as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX connections_name ON connections (organization_id, name) WHERE state <> 'disconnected';
CREATE UNIQUE INDEX connections_external_id ON connections (external_id);

CREATE TABLE check_runs (
    -- `chk_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose connection was checked.
    organization_id TEXT COLLATE "C" NOT NULL,
    -- Which connection was checked.
    connection_id TEXT COLLATE "C" NOT NULL,
    -- When the run began; the history is read newest first.
    started_at BIGINT NOT NULL,
    -- The run with all its checks as JSON.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id)
);
CREATE INDEX check_runs_history ON check_runs (organization_id, connection_id, started_at, id);

CREATE TABLE applications (
    -- `app_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose application.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- Unique in the organization among the active ones.
    name TEXT COLLATE "C" NOT NULL,
    -- `active` or `deleted`.
    state TEXT COLLATE "C" NOT NULL,
    -- Optimistic lock.
    version BIGINT NOT NULL,
    -- When the application was made.
    created_at BIGINT NOT NULL,
    -- The application with its Score files as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX applications_name ON applications (organization_id, name) WHERE state = 'active';

CREATE TABLE environments (
    -- `env_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose environment.
    organization_id TEXT COLLATE "C" NOT NULL,
    -- What runs in it.
    application_id TEXT COLLATE "C" NOT NULL,
    -- In which account.
    connection_id TEXT COLLATE "C" NOT NULL,
    -- Unique in the application among the active ones.
    name TEXT COLLATE "C" NOT NULL,
    -- `active` or `deleted`.
    state TEXT COLLATE "C" NOT NULL,
    -- Optimistic lock.
    version BIGINT NOT NULL,
    -- When the environment was made.
    created_at BIGINT NOT NULL,
    -- The environment as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, application_id) REFERENCES applications (organization_id, id),
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id)
);
CREATE UNIQUE INDEX environments_name ON environments (application_id, name) WHERE state = 'active';

CREATE TABLE resources (
    -- Whose resource.
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    -- Its place in the environment's graph.
    address TEXT COLLATE "C" NOT NULL,
    -- When its state was last recorded.
    updated_at BIGINT NOT NULL,
    -- The recorded state as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (environment_id, address)
);

CREATE TABLE plans (
    -- `pln_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose plan.
    organization_id TEXT COLLATE "C" NOT NULL,
    -- What it changes.
    environment_id TEXT COLLATE "C" NOT NULL,
    -- `proposed`, `approved`, `used` or `stale`.
    state TEXT COLLATE "C" NOT NULL,
    -- Optimistic lock: of two rollouts that take one plan, one wins.
    version BIGINT NOT NULL,
    -- When it was planned; the history is read newest first.
    created_at BIGINT NOT NULL,
    -- The plan with graph and actions as JSON.
    body TEXT NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, environment_id) REFERENCES environments (organization_id, id)
);
CREATE INDEX plans_history ON plans (organization_id, environment_id, created_at, id);

CREATE TABLE rollouts (
    -- `rol_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose rollout.
    organization_id TEXT COLLATE "C" NOT NULL,
    -- What it changes.
    environment_id TEXT COLLATE "C" NOT NULL,
    -- The approved plan that it runs.
    plan_id TEXT COLLATE "C" NOT NULL,
    -- `queued`, `running`, `canceling`, `succeeded`, `failed` or `canceled`.
    state TEXT COLLATE "C" NOT NULL,
    -- Optimistic lock.
    version BIGINT NOT NULL,
    -- When it was started; the history is read newest first.
    created_at BIGINT NOT NULL,
    -- The rollout as JSON; its progress is in `events`.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, environment_id) REFERENCES environments (organization_id, id),
    FOREIGN KEY (organization_id, plan_id) REFERENCES plans (organization_id, id)
);
CREATE INDEX rollouts_history ON rollouts (organization_id, created_at, id);
CREATE INDEX rollouts_of_environment ON rollouts (organization_id, environment_id, created_at, id);

CREATE TABLE streams (
    -- Whose journal: a rollout's or a destruction's id.
    stream TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The number of its newest event. Appending locks this row, so that the
    -- numbers have no gaps and no doubles whoever appends at the same time.
    last_seq BIGINT NOT NULL
);

CREATE TABLE events (
    -- Whose journal.
    stream TEXT COLLATE "C" NOT NULL REFERENCES streams (stream),
    -- Counts from 1 in each stream, without gaps.
    seq BIGINT NOT NULL,
    -- When it happened.
    at BIGINT NOT NULL,
    -- Which resource it is about; absent for events of the whole run.
    address TEXT COLLATE "C",
    -- What happened, as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION landfall_append_only();

CREATE TABLE retained (
    -- `ret_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Whose resource.
    organization_id TEXT COLLATE "C" NOT NULL,
    -- In which account it is.
    connection_id TEXT COLLATE "C" NOT NULL,
    -- Which environment made it.
    environment_id TEXT COLLATE "C" NOT NULL,
    -- `retained`, `destroying`, `destruction-failed`, `destroyed` or
    -- `forgotten`.
    state TEXT COLLATE "C" NOT NULL,
    -- Optimistic lock.
    version BIGINT NOT NULL,
    -- Since when it is no longer wanted; the list is read newest first.
    since BIGINT NOT NULL,
    -- The retained resource as JSON.
    body TEXT NOT NULL,
    FOREIGN KEY (organization_id, connection_id) REFERENCES connections (organization_id, id),
    FOREIGN KEY (organization_id, environment_id) REFERENCES environments (organization_id, id)
);
CREATE INDEX retained_history ON retained (organization_id, since, id);

CREATE TABLE audit_entries (
    -- Whose audit log.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- Counts from 1 in each organization, without gaps.
    seq BIGINT NOT NULL,
    -- When it was done.
    at BIGINT NOT NULL,
    -- The entry's own hash, which the next entry names as the one before.
    hash TEXT COLLATE "C" NOT NULL,
    -- The entry as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (organization_id, seq)
);
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION landfall_append_only();

CREATE TABLE idempotency (
    -- Whose request.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- The key that the client chose.
    key TEXT COLLATE "C" NOT NULL,
    -- Digest of method, path, member and body: the same key with another
    -- request is refused.
    request TEXT COLLATE "C" NOT NULL,
    -- The HTTP status that was answered.
    status BIGINT NOT NULL,
    -- From when the key may be used anew.
    expires_at BIGINT NOT NULL,
    -- The body that was answered.
    body TEXT NOT NULL,
    PRIMARY KEY (organization_id, key)
);
CREATE INDEX idempotency_expiry ON idempotency (organization_id, expires_at);

CREATE TABLE work (
    -- `wrk_…`
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- For whom it is done.
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    -- `rollout`, `destruction`, `detect` or `verify`: workers claim by kind.
    kind TEXT COLLATE "C" NOT NULL,
    -- `<kind>/<subject>`: one row per subject.
    key TEXT COLLATE "C" NOT NULL,
    -- From when it may be claimed.
    run_at BIGINT NOT NULL,
    -- Counts claims of this row; a write under an older one is refused.
    epoch BIGINT NOT NULL,
    -- Claims since it was last finished or postponed.
    attempts BIGINT NOT NULL,
    -- Until when the newest claim holds; absent while nobody holds it.
    lease_until BIGINT,
    -- When to run once more after the running claim ends, because it was
    -- enqueued meanwhile; absent when it was not.
    again_at BIGINT,
    -- The job as JSON.
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX work_key ON work (key);
CREATE INDEX work_due ON work (run_at, id);
