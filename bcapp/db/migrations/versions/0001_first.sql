-- The truth about the tables; migrations add up to it (a test compares). Words: README, "Words".
-- Every tenant table leads its key with store_hash, so that it can be distributed by it. Columns marked
-- "-- encrypted" hold AES-GCM ciphertext bound to table, column, store and row.
-- Money is numeric with a currency beside it; every time is timestamptz in UTC; nothing here calls the clock.

-- Stores and their people ---------------------------------------------------------------------------------

CREATE TABLE stores (
    store_hash          text PRIMARY KEY,
    installation        bigint NOT NULL DEFAULT 1,          -- raised by each re-install; part of every external id
    state               text NOT NULL CHECK (state IN ('active', 'reconsent', 'uninstalling', 'uninstalled')),
    access_token        bytea,                              -- encrypted
    scope               text NOT NULL DEFAULT '',
    owner_id            bigint NOT NULL,
    data_key            bytea,                              -- encrypted: the store's own key for documents and raw bodies
    webhook_key         bytea,                              -- encrypted: what BigCommerce sends back in X-Countersign-Key
    webhook_key_digest  bytea,
    previous_key_digest bytea,
    previous_key_until  timestamptz,
    profile             jsonb NOT NULL DEFAULT '{}',        -- name, domain, control_panel_url, timezone, currency, language, order_email, default_channel_id
    settings            jsonb NOT NULL DEFAULT '{}',        -- bcapp/core/settings.py: StoreSettings
    settings_version    bigint NOT NULL DEFAULT 1,
    installed_at        timestamptz NOT NULL,
    state_since         timestamptz NOT NULL,
    first_load_at       timestamptz
);

CREATE TABLE channels (
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint NOT NULL,
    name       text NOT NULL,
    type       text NOT NULL,
    status     text NOT NULL,
    site_url   text,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE people (                                       -- the directory: who may sign; erasable
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL,
    email        text NOT NULL,                             -- lower case
    language     text NOT NULL DEFAULT 'en',
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'away', 'left')),
    deputy_id    bigint,
    deputy_from  timestamptz,
    deputy_until timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, email),
    FOREIGN KEY (store_hash, deputy_id) REFERENCES people (store_hash, id)
);

CREATE TABLE users (                                        -- control-panel users of a store
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint NOT NULL,                             -- BigCommerce's user id; the same person has it in several stores
    email      text NOT NULL,
    role       text NOT NULL CHECK (role IN ('owner', 'manager', 'approver', 'viewer')),
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'removed')),   -- removed: a tombstone, the id stays
    person_id  bigint,
    locale     text NOT NULL DEFAULT 'en',
    created_at timestamptz NOT NULL,
    seen_at    timestamptz,
    PRIMARY KEY (store_hash, id),
    FOREIGN KEY (store_hash, person_id) REFERENCES people (store_hash, id)
);

CREATE TABLE approval_limits (
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    person_id  bigint NOT NULL,
    currency   text NOT NULL,
    up_to      numeric(20, 4),                              -- null: without limit
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, person_id, currency),
    FOREIGN KEY (store_hash, person_id) REFERENCES people (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE calendars (                                    -- business calendars; a rule names one, or none: every day is worked
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL,
    version    integer NOT NULL,                            -- the newest version
    created_at timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE calendar_versions (
    store_hash  text NOT NULL,
    calendar_id bigint NOT NULL,
    version     integer NOT NULL,
    weekdays    integer[] NOT NULL CHECK (weekdays <> '{}'),   -- that are worked: 0 is Monday
    holidays    date[] NOT NULL DEFAULT '{}',
    author      bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (store_hash, calendar_id, version),
    FOREIGN KEY (store_hash, calendar_id) REFERENCES calendars (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE sessions (
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    token_digest bytea NOT NULL,
    user_id      bigint NOT NULL,
    csrf         text NOT NULL,
    created_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    revoked_at   timestamptz,
    PRIMARY KEY (store_hash, token_digest)
);

CREATE TABLE login_codes (                                  -- one-time codes: load -> first page; also download tickets
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    code_digest bytea NOT NULL,
    purpose     text NOT NULL CHECK (purpose IN ('load', 'download')),
    user_id     bigint NOT NULL,
    subject     text NOT NULL DEFAULT '',                   -- download: which document
    created_at  timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (store_hash, code_digest)
);

CREATE TABLE seen_jwts (                                    -- a JWT seen at /load is refused at /uninstall and /remove_user
    store_hash text NOT NULL,
    jti        text NOT NULL,
    door       text NOT NULL CHECK (door IN ('load', 'uninstall', 'remove_user')),
    seen_at    timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    PRIMARY KEY (store_hash, jti, door)
);

CREATE TABLE pending_changes (                              -- second-manager or 24 h rule
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    subject      text NOT NULL,                             -- signature_account | approver | limit | rule | agreement | settings
    subject_id   text NOT NULL,
    payload      bytea NOT NULL,                            -- encrypted: the form as validated, may hold a secret
    summary      text NOT NULL,
    asked_by     bigint NOT NULL,
    asked_at     timestamptz NOT NULL,
    applies_at   timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'applied', 'refused')),
    decided_by   bigint,
    decided_at   timestamptz,
    PRIMARY KEY (store_hash, id)
);

-- Signature accounts, agreements, rules -------------------------------------------------------------------

CREATE TABLE signature_accounts (
    store_hash    text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL,
    environment   text NOT NULL CHECK (environment IN ('us', 'eu', 'staging', 'custom')),
    tenant        text NOT NULL,
    token_url     text NOT NULL,
    api_root      text NOT NULL,
    client_id     text NOT NULL,
    client_secret bytea NOT NULL,                           -- encrypted
    subscription  text NOT NULL DEFAULT '',
    from_email    text NOT NULL DEFAULT '',
    spellings     jsonb NOT NULL DEFAULT '{}',              -- which path names and token form this environment answered to
    token         bytea,                                    -- encrypted
    token_ends_at timestamptz,
    state         text NOT NULL DEFAULT 'untested' CHECK (state IN ('untested', 'working', 'broken')),
    state_why     text NOT NULL DEFAULT '',
    report        jsonb NOT NULL DEFAULT '[]',              -- the last test, step by step: [{name, ok, sentence}]
    templates     jsonb NOT NULL DEFAULT '[]',              -- as last read: [{uuid, name, roles, placeholders}]
    checked_at    timestamptz,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE agreements (
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL,
    version    integer NOT NULL DEFAULT 0,                  -- the newest version
    archived   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE agreement_versions (
    store_hash   text NOT NULL,
    agreement_id bigint NOT NULL,
    version      integer NOT NULL,
    source       text NOT NULL CHECK (source IN ('text', 'pdf', 'template')),
    material     boolean NOT NULL DEFAULT true,             -- a minor version never makes anybody sign again
    language     text NOT NULL DEFAULT 'en',                -- of the text for those whose own language has none
    author       bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (store_hash, agreement_id, version),
    FOREIGN KEY (store_hash, agreement_id) REFERENCES agreements (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE agreement_texts (                              -- one version in each of its languages
    store_hash   text NOT NULL,
    agreement_id bigint NOT NULL,
    version      integer NOT NULL,
    language     text NOT NULL,                             -- en, de, pt-br
    title        text NOT NULL,
    body         text NOT NULL DEFAULT '',                  -- text: the rich text with merge fields
    content      bytea,                                     -- pdf: SHA-256 of the uploaded file in chunks
    found        jsonb NOT NULL DEFAULT '[]',               -- pdf: the fields that its own tags place
    template     jsonb,                                     -- template: uuid, name, placeholders as frozen, mapping placeholder -> merge field
    PRIMARY KEY (store_hash, agreement_id, version, language),
    FOREIGN KEY (store_hash, agreement_id, version) REFERENCES agreement_versions (store_hash, agreement_id, version) ON DELETE CASCADE
);

CREATE TABLE agreement_bindings (                           -- what one customer or company signs instead
    store_hash    text NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    agreement_id  bigint NOT NULL,
    party_kind    text NOT NULL CHECK (party_kind IN ('customer', 'company')),
    party_id      text NOT NULL,                            -- BigCommerce's id
    label         text NOT NULL DEFAULT '',                 -- how staff call the party; erasable
    what          text NOT NULL CHECK (what IN ('pdf', 'text', 'price_list')),
    title         text NOT NULL DEFAULT '',                 -- "": the agreement's own
    body          text NOT NULL DEFAULT '',                 -- text: these terms
    content       bytea,                                    -- pdf: SHA-256 of the uploaded file in chunks
    price_list_id bigint,                                   -- read afresh for every document
    asks_again    boolean NOT NULL DEFAULT true,            -- what was signed, or sent, before counts for no later record
    author        bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,                              -- replaced or taken away; what was asked with it stands
    PRIMARY KEY (store_hash, id),
    FOREIGN KEY (store_hash, agreement_id) REFERENCES agreements (store_hash, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX agreement_bindings_one ON agreement_bindings (store_hash, agreement_id, party_kind, party_id)
    WHERE ended_at IS NULL;

CREATE TABLE rules (
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    workflow    text NOT NULL,
    name        text NOT NULL,
    mode        text NOT NULL CHECK (mode IN ('live', 'monitor', 'off')),
    version     integer NOT NULL,
    position    integer NOT NULL DEFAULT 0,
    live_since  timestamptz,                                -- the go-live boundary: records created before it are left alone
    paused_why  text NOT NULL DEFAULT '',                   -- a runaway or a drifted template paused it
    archived    boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE rule_versions (
    store_hash text NOT NULL,
    rule_id    bigint NOT NULL,
    version    integer NOT NULL,
    definition jsonb NOT NULL,                              -- bcapp/core/rules.py: RuleDefinition
    author     bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (store_hash, rule_id, version),
    FOREIGN KEY (store_hash, rule_id) REFERENCES rules (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE rule_inclusions (                              -- records from before the boundary that a manager ticked
    store_hash  text NOT NULL,
    rule_id     bigint NOT NULL,
    record_kind text NOT NULL,
    record_id   text NOT NULL,
    PRIMARY KEY (store_hash, rule_id, record_kind, record_id),
    FOREIGN KEY (store_hash, rule_id) REFERENCES rules (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE backlogs (                                     -- what exists before a rule goes live, counted in the background
    store_hash  text NOT NULL,
    rule_id     bigint NOT NULL,
    state       text NOT NULL CHECK (state IN ('counting', 'counted', 'failed')),
    cursor      jsonb NOT NULL DEFAULT '{}',
    groups      jsonb NOT NULL DEFAULT '[]',                -- [{"key": "11", "label": ..., "count": n, "money": {"USD": "12.00"}, "records": [ids]}]
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (store_hash, rule_id),
    FOREIGN KEY (store_hash, rule_id) REFERENCES rules (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE rates (                                        -- what one unit of base is worth, dated, seen by the merchant
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    currency   text NOT NULL,
    base       text NOT NULL,
    rate       numeric(20, 8) NOT NULL CHECK (rate > 0),
    as_of      date NOT NULL,
    source     text NOT NULL CHECK (source IN ('store', 'hand')),
    PRIMARY KEY (store_hash, currency)
);

CREATE TABLE store_names (                                  -- what the store calls its customer groups and categories
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    what       text NOT NULL,                               -- the field of a condition that means them; open_group
    id         bigint NOT NULL,
    name       text NOT NULL,
    PRIMARY KEY (store_hash, what, id)
);

-- Records, requests, holds --------------------------------------------------------------------------------

CREATE TABLE records (
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    kind        text NOT NULL,                              -- order, ...
    id          text NOT NULL,                              -- BigCommerce's id
    version     bigint NOT NULL DEFAULT 0,                  -- raised by every look that was written down
    label       text NOT NULL DEFAULT '',                   -- "Order 1001, Ann Lee": shown in lists
    amount      numeric(20, 4),
    currency    text,
    facts       jsonb NOT NULL DEFAULT '{}',                -- as last read; for pages and the difference view, never decided upon
    trace       jsonb NOT NULL DEFAULT '[]',                -- why / why not, of the last look, per rule
    gone_since  timestamptz,
    looked_at   timestamptz,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (store_hash, kind, id)
);

-- What no event tells of and no list dates (promotions): found by reading all of it and comparing.
CREATE TABLE sightings (
    store_hash    text NOT NULL REFERENCES stores ON DELETE CASCADE,
    kind          text NOT NULL,
    id            text NOT NULL,
    digest        text NOT NULL,                            -- of the record as last read, without what the vendor counts
    first_seen_at timestamptz NOT NULL,
    absent_at     timestamptz,                              -- when all were last read without it; null: there from the first reading on
    PRIMARY KEY (store_hash, kind, id)
);

CREATE TABLE requests (
    store_hash       text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id               bigint GENERATED ALWAYS AS IDENTITY,
    workflow         text NOT NULL,
    rule_id          bigint NOT NULL DEFAULT 0,             -- 0: by hand
    rule_version     integer NOT NULL DEFAULT 0,
    purpose          text NOT NULL CHECK (purpose IN ('internal', 'customer')),
    record_kind      text NOT NULL,
    record_id        text NOT NULL,
    round            integer NOT NULL,
    round_why        text NOT NULL DEFAULT '',
    projection       integer NOT NULL,                      -- version of the list of material facts it was made with
    fingerprint      text NOT NULL,
    snapshot         jsonb NOT NULL,
    wanted           text NOT NULL DEFAULT 'open' CHECK (wanted IN ('open', 'cancel')),
    wanted_why       text NOT NULL DEFAULT '',              -- staff | record | superseded | released (nobody answered in time)
    status           text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed',
                         'completed', 'declined', 'expired', 'cancelled', 'failed')),
    status_why       text NOT NULL DEFAULT '',
    checked          text NOT NULL DEFAULT '' CHECK (checked IN ('', 'right', 'conflict', 'confirmed')),  -- right person, right text
    checked_why      text NOT NULL DEFAULT '',
    bounced          boolean NOT NULL DEFAULT false,
    simulated        boolean NOT NULL DEFAULT false,
    blocks           boolean NOT NULL DEFAULT true,         -- keeps the record's hold shut; by hand a person may choose not to
    counts           jsonb,                                 -- for whom and how long the signature counts: bcapp/core/acceptances.py: Counts
    account_id       bigint NOT NULL,
    agreement_id     bigint NOT NULL,
    agreement_version integer NOT NULL,
    language         text NOT NULL DEFAULT 'en',
    document_language text NOT NULL DEFAULT '',             -- of the text that was set; "" until then
    binding_id       bigint,                                -- the customer's own text that was set instead, if any
    nonce            text NOT NULL,                         -- 128 bits, hex; part of the external id
    external_id      text NOT NULL,                         -- {installation}:{store_hash}:{request}:{round}:{nonce}
    callback_digest  bytea,                                 -- digest of the callback path's token; committed before the document is made
    callback_token   bytea,                                 -- encrypted: needed again when a retry makes the document
    document_sha256  bytea,                                 -- our PDF, kept before it is sent
    document_fields  jsonb NOT NULL DEFAULT '[]',           -- the fields placed: external ids, signer, type
    provider_document uuid,                                 -- committed before the send
    provider_document_url text NOT NULL DEFAULT '',
    provider_account text NOT NULL DEFAULT '',              -- tenant, API root and client id that the document was made with
    missing_since    timestamptz,                           -- the service does not know the document; believed after an hour
    missing_reads    integer NOT NULL DEFAULT 0,
    missing_told     boolean NOT NULL DEFAULT false,        -- the service said that it was deleted
    provider_request uuid,
    provider_status  text NOT NULL DEFAULT '',              -- as last read, in the provider's letters
    inputs           jsonb NOT NULL DEFAULT '[]',           -- what signers typed, by external id
    expires_at       timestamptz,
    remind_at        timestamptz,
    reminded         integer NOT NULL DEFAULT 0,
    resting_since    timestamptz,                           -- a signer asked something: reminders and steps rest until it is answered
    read_due_at      timestamptz,                           -- when the sweep reads it again
    created_at       timestamptz NOT NULL,
    sent_at          timestamptz,
    ended_at         timestamptz,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, external_id),
    UNIQUE (store_hash, record_kind, record_id, rule_id, purpose, fingerprint, round),
    FOREIGN KEY (store_hash, record_kind, record_id) REFERENCES records (store_hash, kind, id)
);
-- At most one open request per rule (or "by hand"), purpose and record.
CREATE UNIQUE INDEX requests_one_open ON requests (store_hash, record_kind, record_id, rule_id, purpose)
    WHERE wanted = 'open' AND status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed');
CREATE INDEX requests_by_time ON requests (store_hash, created_at DESC);
CREATE INDEX requests_due ON requests (read_due_at) WHERE read_due_at IS NOT NULL;
CREATE INDEX requests_counting ON requests (store_hash, (counts ->> 'party_id')) WHERE counts IS NOT NULL;
CREATE UNIQUE INDEX requests_callback ON requests (store_hash, callback_digest) WHERE callback_digest IS NOT NULL;
CREATE UNIQUE INDEX requests_provider_document ON requests (store_hash, provider_document) WHERE provider_document IS NOT NULL;

CREATE TABLE signers (                                      -- personal data of a request; erasable
    store_hash   text NOT NULL,
    request_id   bigint NOT NULL,
    position     integer NOT NULL,                          -- 0, 1, ...: the number in the document's fields
    turn         integer NOT NULL DEFAULT 1,                -- equal turns sign in parallel
    person_id    bigint,
    name         text NOT NULL,
    email        text NOT NULL,                             -- lower case: the address asked
    role         text NOT NULL DEFAULT 'sign' CHECK (role IN ('sign', 'approve', 'copy')),
    may_forward  boolean NOT NULL DEFAULT false,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'emailed', 'opened', 'viewed', 'signed',
                     'declined', 'forwarded', 'bounced')),
    state_at     timestamptz,
    reason       text NOT NULL DEFAULT '',                  -- typed on decline or forward
    forwarded_to text NOT NULL DEFAULT '',
    mended_from  text NOT NULL DEFAULT '',                  -- the address that could not be reached, when staff mended it
    mend_to      text NOT NULL DEFAULT '',                  -- the right one that staff named
    PRIMARY KEY (store_hash, request_id, position),
    FOREIGN KEY (store_hash, request_id) REFERENCES requests (store_hash, id) ON DELETE CASCADE
);

CREATE INDEX signers_by_email ON signers (store_hash, email);
CREATE INDEX signers_by_person ON signers (store_hash, person_id) WHERE person_id IS NOT NULL;

CREATE TABLE request_steps (                                -- escalation of a sent request: what comes when nobody signs
    store_hash       text NOT NULL,
    request_id       bigint NOT NULL,
    position         integer NOT NULL,                      -- in the rule's steps, from 0
    kind             text NOT NULL,                         -- remind | escalate | alternate | outcome
    person_id        bigint NOT NULL DEFAULT 0,
    follows          text NOT NULL DEFAULT '',              -- of an outcome: keep | release
    after_days       integer NOT NULL,
    working_days     boolean NOT NULL,
    counted_from     timestamptz NOT NULL,                  -- the sending, moved on by the time of a pause
    local_date       date NOT NULL,
    local_time       time NOT NULL,
    zone             text NOT NULL,
    calendar_id      bigint NOT NULL DEFAULT 0,
    calendar_version integer NOT NULL DEFAULT 0,
    due_at           timestamptz NOT NULL,                  -- counted from the five before it; counted again when one changes
    done_at          timestamptz,
    outcome          text NOT NULL DEFAULT '',              -- reminded | passed | told | replaced | nobody | kept | released | carried | ended
    PRIMARY KEY (store_hash, request_id, position),
    FOREIGN KEY (store_hash, request_id) REFERENCES requests (store_hash, id) ON DELETE CASCADE
);
CREATE INDEX request_steps_open ON request_steps (store_hash, due_at) WHERE done_at IS NULL;

CREATE TABLE holds (
    store_hash  text NOT NULL,
    record_kind text NOT NULL,
    record_id   text NOT NULL,
    method      text NOT NULL CHECK (method IN ('status', 'capture', 'gate', 'access', 'none')),
    state       text NOT NULL CHECK (state IN ('none', 'holding', 'held', 'releasing', 'released', 'joined', 'refused',
                    'overridden', 'bypassed', 'kept')),
    state_why   text NOT NULL DEFAULT '',
    found       jsonb,                                      -- what stood there before our first write
    left_as     jsonb,                                      -- what we left
    blocking    jsonb NOT NULL DEFAULT '[]',                -- request ids that keep it shut
    wanted_at   timestamptz NOT NULL,
    held_at     timestamptz,
    opened_at   timestamptz,
    exposed_seconds integer,                                -- seconds in which the order could be imported by a shipping tool
    alarmed_at  timestamptz,                                -- "not placed within 30 s" was said
    kept_by     bigint,                                     -- user who decided that it stays held after an uninstall
    kept_at     timestamptz,
    PRIMARY KEY (store_hash, record_kind, record_id),
    FOREIGN KEY (store_hash, record_kind, record_id) REFERENCES records (store_hash, kind, id)
);

-- Whether a record that a rule wanted signed has no valid signature: of the newest round of each signature wanted, one is
-- not good; or it was let go or held without anything good. hold: its state. A warranty says nothing of its order.
CREATE FUNCTION lacks_signature(store text, kind text, id text, hold text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT COALESCE(bool_or(NOT good), COALESCE(hold, 'none') NOT IN ('none', 'released'))
    FROM (SELECT DISTINCT ON (q.rule_id, q.purpose)
                 q.status = 'completed' AND q.checked IN ('right', 'confirmed') AS good, q.wanted, q.wanted_why
            FROM requests q
           WHERE q.store_hash = $1 AND q.record_kind = $2 AND q.record_id = $3
             AND q.workflow <> 'warranty' AND NOT q.simulated
           ORDER BY q.rule_id, q.purpose, q.id DESC) newest
   WHERE good OR wanted = 'open' OR wanted_why = 'released'
$$;

-- Holds that were wanted and are not placed yet: the tick looks at them every two seconds.
CREATE INDEX holds_late ON holds (wanted_at) WHERE state = 'holding' AND alarmed_at IS NULL;

CREATE TABLE evidence (
    store_hash    text NOT NULL,
    request_id    bigint NOT NULL,
    part          text NOT NULL CHECK (part IN ('sent_document', 'signed_document', 'signing_log')),
    sha256        bytea NOT NULL,
    size_bytes    bigint NOT NULL,
    provider_hash text NOT NULL DEFAULT '',
    verified      boolean NOT NULL,
    kept_at       timestamptz NOT NULL,
    PRIMARY KEY (store_hash, request_id, part),
    FOREIGN KEY (store_hash, request_id) REFERENCES requests (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE chunks (                                       -- document bytes, 256 kB each, by store and content hash
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    sha256     bytea NOT NULL,
    position   integer NOT NULL,
    last       boolean NOT NULL,
    content    bytea NOT NULL,                              -- encrypted with the store's data key
    PRIMARY KEY (store_hash, sha256, position)
);

CREATE TABLE outside_documents (                            -- signed at the service without us; a person says whose they are
    store_hash    text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    account_id    bigint NOT NULL,
    document      uuid NOT NULL,
    record_kind   text NOT NULL,
    record_id     text NOT NULL,
    reasons       text[] NOT NULL,                          -- bcapp/core/outside.py: Reason
    name          text NOT NULL DEFAULT '',                 -- of the document; erasable, empty once dismissed
    signers       jsonb NOT NULL DEFAULT '[]',              -- [{email, signed_at}] who signed; erasable, empty once dismissed
    signed_at     timestamptz,
    state         text NOT NULL DEFAULT 'suggested' CHECK (state IN ('suggested', 'linked', 'dismissed')),
    found_at      timestamptz NOT NULL,
    decided_at    timestamptz,
    decided_by    bigint,
    signed_sha256 bytea,                                    -- the signed PDF, kept once it is linked
    log_sha256    bytea,                                    -- the signing log
    verified      boolean NOT NULL DEFAULT false,           -- its bytes were what the service announced
    kept_at       timestamptz,
    gone          boolean NOT NULL DEFAULT false,           -- linked, and the service did not have it any more
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, document, record_kind, record_id)
);
CREATE INDEX outside_documents_of_record ON outside_documents (store_hash, record_kind, record_id) WHERE state <> 'dismissed';

-- What was decided, and what rules are tried on ------------------------------------------------------------

CREATE TABLE decisions (                                    -- of every look: what each rule said, when it differs from the last
    store_hash    text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    record_kind   text NOT NULL,
    record_id     text NOT NULL,
    decided_at    timestamptz NOT NULL,
    traces        jsonb NOT NULL,                           -- bcapp/core/decisions.py: replayable
    traces_sha256 text NOT NULL,
    facts_sha256  text NOT NULL,
    would_ask     text[] NOT NULL DEFAULT '{}',             -- "rule.version" of monitored rules that would have asked
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX decisions_of_record ON decisions (store_hash, record_kind, record_id, id DESC);
CREATE INDEX decisions_by_time ON decisions (decided_at);
CREATE INDEX decisions_monitored ON decisions USING gin (would_ask) WHERE would_ask <> '{}';

CREATE TABLE past_records (                                 -- facts of the last 90 days, to try rules on; dropped by age and when unused
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    kind        text NOT NULL,                              -- order | customer | product
    id          text NOT NULL,
    label       text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,                       -- as the store says
    read_at     timestamptz NOT NULL,
    complete    boolean NOT NULL,                           -- false: read with fewer parts than some field needs, or older than the record
    facts       jsonb NOT NULL,                             -- Kind.dump
    customer    text NOT NULL DEFAULT '',                   -- who stands behind it: account, else e-mail address; "" when nobody is known
    has_email   boolean NOT NULL DEFAULT false,
    amount      numeric(20, 4),
    currency    text NOT NULL DEFAULT '',
    PRIMARY KEY (store_hash, kind, id)
);
CREATE INDEX past_records_by_customer ON past_records (store_hash, kind, customer, created_at, id);
CREATE INDEX past_records_by_time ON past_records (created_at);

CREATE TABLE past_reads (                                   -- how far the past of a kind is read
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    kind       text NOT NULL,
    state      text NOT NULL CHECK (state IN ('reading', 'read', 'failed')),
    why        text NOT NULL DEFAULT '',
    cursor     jsonb NOT NULL DEFAULT '{}',
    total      integer,                                     -- records expected by this read, null until counted
    done       integer NOT NULL DEFAULT 0,
    read_until timestamptz,                                 -- what changed before it is stored
    parts      text[] NOT NULL DEFAULT '{}',                -- extra parts of the facts that tries wanted
    updated_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,                        -- when something was tried on it last
    PRIMARY KEY (store_hash, kind)
);

CREATE TABLE tryouts (                                      -- a draft of a rule, tried on the past by the worker
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    kind         text NOT NULL,
    rule_id      bigint NOT NULL DEFAULT 0,                 -- 0: of a rule not saved yet, or only conditions
    rule_version integer NOT NULL DEFAULT 0,                -- 0: edited, not saved
    name         text NOT NULL DEFAULT '',
    definition   jsonb NOT NULL,
    state        text NOT NULL CHECK (state IN ('waiting', 'counting', 'counted', 'failed')),
    why          text NOT NULL DEFAULT '',
    step         integer NOT NULL DEFAULT 0,                -- raised by every slice; the next one is only written upon it
    cursor       jsonb NOT NULL DEFAULT '{}',
    tally        jsonb NOT NULL DEFAULT '{}',               -- bcapp/core/tryout.py: Tally
    total        integer NOT NULL DEFAULT 0,                -- stored records when it began
    whole        boolean NOT NULL DEFAULT false,            -- the past was read whole when it began
    author       bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX tryouts_of_rule ON tryouts (store_hash, rule_id, id DESC);

-- Acceptances: one signature that counts for later records ----------------------------------------------------

CREATE TABLE imports (                                      -- earlier signatures brought in: looked at first, then applied
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    file_name  text NOT NULL,
    state      text NOT NULL CHECK (state IN ('checking', 'checked', 'applying', 'applied')),
    files      jsonb NOT NULL DEFAULT '{}',                 -- the PDFs that came along: lower-case name -> SHA-256 in hex
    author     bigint NOT NULL,
    created_at timestamptz NOT NULL,
    applied_at timestamptz,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE import_rows (                                  -- personal; what was applied is deleted, the rest with its import
    store_hash text NOT NULL,
    import_id  bigint NOT NULL,
    line       integer NOT NULL,                            -- of the file; the heading is line 1
    given      jsonb NOT NULL,                              -- the line as text, by column
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'match', 'miss', 'known', 'applied')),
    sentence   text NOT NULL DEFAULT '',                    -- what was found, or why nothing was
    found      jsonb,                                       -- party, agreement, version, times, document: as it will be kept
    PRIMARY KEY (store_hash, import_id, line),
    FOREIGN KEY (store_hash, import_id) REFERENCES imports (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE acceptances (                                  -- the sign-once ledger
    store_hash        text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id                bigint GENERATED ALWAYS AS IDENTITY,
    party_kind        text NOT NULL CHECK (party_kind IN ('customer', 'company', 'email')),
    party_id          text NOT NULL,                        -- BigCommerce's id; of an address the keyed digest, hex
    label             text NOT NULL DEFAULT '',             -- name and address for lists; erasable
    agreement_id      bigint NOT NULL,
    agreement_version integer NOT NULL,
    scope             text NOT NULL CHECK (scope IN ('customer', 'company', 'channel', 'order')),
    scope_id          text NOT NULL DEFAULT '',
    valid_from        timestamptz NOT NULL,                 -- when it was signed
    valid_until       timestamptz,                          -- null: for good
    request_id        bigint,                               -- signed here
    import_id         bigint,                               -- or brought in
    document_sha256   bytea,                                -- the PDF that was brought in
    recorded_at       timestamptz NOT NULL,
    revoked_at        timestamptz,
    revoked_by        bigint,
    revoked_why       text NOT NULL DEFAULT '',
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, party_kind, party_id, agreement_id, agreement_version, scope, scope_id, valid_from),
    CHECK (request_id IS NOT NULL OR import_id IS NOT NULL)
);
CREATE INDEX acceptances_by_time ON acceptances (store_hash, recorded_at DESC, id DESC);
CREATE INDEX acceptances_of_agreement ON acceptances (store_hash, agreement_id, agreement_version);

CREATE TABLE exemptions (                                   -- who need not sign, until when, and why
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    party_kind   text NOT NULL CHECK (party_kind IN ('customer', 'company')),
    party_id     text NOT NULL,
    label        text NOT NULL DEFAULT '',                  -- erasable
    agreement_id bigint NOT NULL DEFAULT 0,                 -- 0: every agreement
    valid_from   timestamptz NOT NULL,
    until        timestamptz NOT NULL,
    why          text NOT NULL,
    author       bigint NOT NULL,
    ended_at     timestamptz,
    ended_by     bigint,
    ended_why    text NOT NULL DEFAULT '',
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX exemptions_of_party ON exemptions (store_hash, party_kind, party_id);

CREATE TABLE covers (                                       -- which acceptance or exemption a record went on by
    store_hash    text NOT NULL,
    record_kind   text NOT NULL,
    record_id     text NOT NULL,
    rule_id       bigint NOT NULL,
    acceptance_id bigint NOT NULL DEFAULT 0,
    exemption_id  bigint NOT NULL DEFAULT 0,
    sentence      text NOT NULL,
    named_at      timestamptz NOT NULL,
    PRIMARY KEY (store_hash, record_kind, record_id, rule_id),
    FOREIGN KEY (store_hash, record_kind, record_id) REFERENCES records (store_hash, kind, id) ON DELETE CASCADE
);
CREATE INDEX covers_of_acceptance ON covers (store_hash, acceptance_id) WHERE acceptance_id > 0;

CREATE TABLE campaigns (                                    -- everybody who signed an older version is asked for the new one
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    agreement_id bigint NOT NULL,
    version      integer NOT NULL,
    account_id   bigint NOT NULL,
    per_hour     integer NOT NULL CHECK (per_hour > 0),
    grace_until  timestamptz NOT NULL,                      -- until then older acceptances count on
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'done')),
    author       bigint NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, agreement_id, version),
    FOREIGN KEY (store_hash, agreement_id) REFERENCES agreements (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE campaign_parties (                             -- whom a campaign asked, on which order
    store_hash  text NOT NULL,
    campaign_id bigint NOT NULL,
    party_kind  text NOT NULL,
    party_id    text NOT NULL,
    record_id   text NOT NULL,
    asked_at    timestamptz NOT NULL,
    PRIMARY KEY (store_hash, campaign_id, party_kind, party_id),
    FOREIGN KEY (store_hash, campaign_id) REFERENCES campaigns (store_hash, id) ON DELETE CASCADE
);

-- Quotes made by hand -----------------------------------------------------------------------------------------

CREATE TABLE own_quotes (                                   -- for stores without B2B Edition; names its buyer: erasable
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'withdrawn')),
    title       text NOT NULL DEFAULT '',
    name        text NOT NULL,
    email       text NOT NULL,                              -- lower case
    company     text NOT NULL DEFAULT '',
    customer_id bigint NOT NULL DEFAULT 0,                  -- 0: a buyer without an account
    language    text NOT NULL DEFAULT 'en',
    terms       text NOT NULL DEFAULT '',
    channel_id  bigint NOT NULL,
    currency    text NOT NULL,
    lines       jsonb NOT NULL,                             -- bcapp/core/own_quotes.py, OfferedLine
    expires_at  timestamptz NOT NULL,
    cart_id     text NOT NULL DEFAULT '',                   -- what its buyer can order now; '': nothing
    carts       text[] NOT NULL DEFAULT '{}',               -- every cart that was ever made for it
    left_carts  text[] NOT NULL DEFAULT '{}',               -- those that are to be taken away
    order_id    bigint NOT NULL DEFAULT 0,                  -- made from one of its carts
    once        text NOT NULL DEFAULT '',                   -- of the form: sent twice is made once
    created_by  bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);
CREATE UNIQUE INDEX own_quotes_once ON own_quotes (store_hash, once) WHERE once <> '';
CREATE INDEX own_quotes_by_email ON own_quotes (store_hash, email);
CREATE INDEX own_quotes_by_cart ON own_quotes USING gin (carts);

-- Suppliers -------------------------------------------------------------------------------------------------

CREATE TABLE suppliers (                                    -- no bank data, in no column
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL,
    registration text NOT NULL DEFAULT '',
    identity     text NOT NULL,                             -- what makes two entries the same: bcapp/core/suppliers.py, identities
    country      text NOT NULL DEFAULT '',
    language     text NOT NULL DEFAULT 'en',
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'inactive')),
    invited_at   timestamptz,                               -- rules look at it from then on
    term         integer NOT NULL DEFAULT 1,                -- raised when the agreement is due for renewal
    hide_all     boolean NOT NULL DEFAULT false,            -- a person saw the count and chose to hide what it sells already
    hiding       text NOT NULL DEFAULT '' CHECK (hiding IN ('', 'new', 'all')),   -- which of its products are to be hidden now
    hiding_on    bigint[] NOT NULL DEFAULT '{}',            -- the channels; none: everywhere
    impact       jsonb NOT NULL DEFAULT '{}',               -- what hiding would do, as counted: bcapp/jobs/suppliers.py
    origin_key   text NOT NULL DEFAULT '',                  -- of another system: the same key again is the same supplier
    created_at   timestamptz NOT NULL,
    created_by   bigint NOT NULL,                           -- 0: another system
    modified_at  timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);
CREATE UNIQUE INDEX suppliers_once ON suppliers (store_hash, identity);
CREATE UNIQUE INDEX suppliers_of_key ON suppliers (store_hash, origin_key) WHERE origin_key <> '';
CREATE INDEX suppliers_hiding ON suppliers (store_hash) WHERE hiding <> '';

CREATE TABLE supplier_contacts (                            -- personal; erasable
    store_hash  text NOT NULL,
    supplier_id bigint NOT NULL,
    role        text NOT NULL CHECK (role IN ('signatory', 'operations')),
    name        text NOT NULL,
    email       text NOT NULL,                              -- lower case
    PRIMARY KEY (store_hash, supplier_id, role),
    FOREIGN KEY (store_hash, supplier_id) REFERENCES suppliers (store_hash, id) ON DELETE CASCADE
);
CREATE INDEX supplier_contacts_by_email ON supplier_contacts (store_hash, email);

CREATE TABLE supplier_covers (                              -- what it supplies
    store_hash  text NOT NULL,
    supplier_id bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('brand', 'category', 'product')),
    name        text NOT NULL,                              -- as typed; a product's SKU
    ref         bigint NOT NULL DEFAULT 0,                  -- its number in the store; 0: not found (yet)
    looked_at   timestamptz,                                -- when the store was asked for it last
    PRIMARY KEY (store_hash, supplier_id, kind, name),
    FOREIGN KEY (store_hash, supplier_id) REFERENCES suppliers (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE supplier_checklist (
    store_hash  text NOT NULL,
    supplier_id bigint NOT NULL,
    item        text NOT NULL CHECK (item IN ('agreement', 'insurance', 'tax_form')),
    needed      boolean NOT NULL DEFAULT true,
    given_on    date,
    expires_on  date,                                       -- the last day on which it counts; null: for good
    renews_on   date,                                       -- agreement: when a new signature is asked for
    request_id  bigint,                                     -- agreement: what was signed
    term        integer NOT NULL DEFAULT 0,                 -- agreement: the term that was signed
    PRIMARY KEY (store_hash, supplier_id, item),
    FOREIGN KEY (store_hash, supplier_id) REFERENCES suppliers (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE papers (                                       -- files of what a party hands in; erased with the person, the days stay
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    record_kind text NOT NULL,
    record_id   text NOT NULL,
    name        text NOT NULL,                              -- of a supplier: an item of its checklist
    media       text NOT NULL CHECK (media IN ('application/pdf', 'image/png', 'image/jpeg')),
    size_bytes  integer NOT NULL,
    sha256      bytea NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'accepted', 'refused', 'dropped', 'replaced')),
    why         text NOT NULL DEFAULT '',                   -- refused: a word to the party
    expires_on  date,                                       -- as entered when it was accepted
    request_id  bigint,                                     -- the party came from this request's page; null: staff uploaded it
    uploaded_by bigint NOT NULL,                            -- a user; 0: the party
    uploaded_at timestamptz NOT NULL,
    judged_by   bigint,
    judged_at   timestamptz,
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX papers_of_record ON papers (store_hash, record_kind, record_id, name, id);
CREATE UNIQUE INDEX papers_waiting ON papers (store_hash, record_kind, record_id, name) WHERE state = 'waiting';
CREATE INDEX papers_ending ON papers (expires_on) WHERE state = 'accepted' AND expires_on IS NOT NULL;
CREATE UNIQUE INDEX papers_accepted ON papers (store_hash, record_kind, record_id, name) WHERE state = 'accepted';

CREATE TABLE paper_pieces (                                 -- its bytes, 256 kB each, sealed; not shared by hash, so that they go with it
    store_hash text NOT NULL,
    paper_id   bigint NOT NULL,
    position   integer NOT NULL,
    content    bytea NOT NULL,
    PRIMARY KEY (store_hash, paper_id, position),
    FOREIGN KEY (store_hash, paper_id) REFERENCES papers (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE supplier_products (                            -- a product that a supplier keeps hidden, or is about to
    store_hash  text NOT NULL,
    supplier_id bigint NOT NULL,
    product_id  bigint NOT NULL,
    state       text NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'hidden', 'left')),  -- left: nothing of ours to undo
    version     integer NOT NULL DEFAULT 1,                 -- raised whenever it has to be looked at again
    why         text NOT NULL DEFAULT '',
    PRIMARY KEY (store_hash, supplier_id, product_id),
    FOREIGN KEY (store_hash, supplier_id) REFERENCES suppliers (store_hash, id) ON DELETE CASCADE
);
CREATE INDEX supplier_products_of ON supplier_products (store_hash, product_id);

CREATE TABLE product_visibility (                           -- where we switched a product off; it was on there
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    product_id bigint NOT NULL,
    channel_id bigint NOT NULL,                             -- 0: its own visibility, everywhere
    hidden_at  timestamptz NOT NULL,                        -- committed before the write
    PRIMARY KEY (store_hash, product_id, channel_id)
);

CREATE TABLE supplier_imports (
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    file_name  text NOT NULL,
    state      text NOT NULL DEFAULT 'checking' CHECK (state IN ('checking', 'checked', 'applying', 'applied', 'discarded')),
    invite     boolean NOT NULL DEFAULT false,
    author     bigint NOT NULL,
    created_at timestamptz NOT NULL,
    moved_at   timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE supplier_import_lines (                        -- personal; the cells are gone a week after the import ended
    store_hash  text NOT NULL,
    import_id   bigint NOT NULL,
    line        integer NOT NULL,
    given       jsonb NOT NULL,                             -- the cells
    state       text NOT NULL CHECK (state IN ('waiting', 'good', 'bad', 'known', 'added')),
    sentence    text NOT NULL DEFAULT '',
    refs        jsonb NOT NULL DEFAULT '[]',                -- the covers that the store has: [[kind, name, ref]]
    supplier_id bigint,
    PRIMARY KEY (store_hash, import_id, line),
    FOREIGN KEY (store_hash, import_id) REFERENCES supplier_imports (store_hash, id) ON DELETE CASCADE
);

-- Warranties ------------------------------------------------------------------------------------------------

CREATE TABLE registrations (                                -- one covered piece; piece 0: a line of the order as a whole
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    order_id     text NOT NULL,
    request_id   bigint NOT NULL DEFAULT 0,                 -- signed here; 0: a paper form
    paper_id     bigint NOT NULL DEFAULT 0,
    rule_id      bigint NOT NULL DEFAULT 0,
    rule_version integer NOT NULL DEFAULT 0,
    item_id      bigint NOT NULL,                           -- line of the order
    piece        integer NOT NULL,
    quantity     integer NOT NULL,
    product_id   bigint NOT NULL,
    sku          text NOT NULL,
    name         text NOT NULL,                             -- of the product
    cover        text NOT NULL CHECK (cover IN ('warranty', 'service')),
    serial       text NOT NULL DEFAULT '',
    serial_key   text NOT NULL DEFAULT '',                  -- bcapp/core/warranties.py: serial_key
    serial_from  text NOT NULL DEFAULT '' CHECK (serial_from IN ('', 'signer', 'staff', 'file')),
    starts_on    date NOT NULL,
    ends_on      date,                                      -- the last day; null: without an end
    renew_on     date,                                      -- when the next term is asked for
    renewal_asked_at timestamptz,
    state        text NOT NULL CHECK (state IN ('active', 'not_activated', 'ended', 'renewed')),
    state_why    text NOT NULL DEFAULT '',
    ended_on     date,
    buyer        text NOT NULL DEFAULT '',                  -- name for lists; erasable, as are the next
    name_digest  bytea,                                     -- keyed
    email_digest bytea,
    phone_digest bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, request_id, paper_id, item_id, piece)
);
CREATE INDEX registrations_of_order ON registrations (store_hash, order_id);
CREATE INDEX registrations_by_serial ON registrations (store_hash, serial_key) WHERE serial_key <> '';
CREATE INDEX registrations_by_email ON registrations (store_hash, email_digest) WHERE email_digest IS NOT NULL;
CREATE INDEX registrations_by_phone ON registrations (store_hash, phone_digest) WHERE phone_digest IS NOT NULL;
CREATE INDEX registrations_by_name ON registrations (store_hash, name_digest) WHERE name_digest IS NOT NULL;
CREATE INDEX registrations_renewing ON registrations (store_hash, renew_on)
    WHERE renew_on IS NOT NULL AND renewal_asked_at IS NULL AND state = 'active';

CREATE TABLE paper_forms (                                  -- a form that was signed on paper and uploaded by staff
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    order_id   text NOT NULL,
    rule_id    bigint NOT NULL,
    content    bytea NOT NULL,                              -- SHA-256 of the PDF
    signed_on  date NOT NULL,
    serials    text NOT NULL DEFAULT '',                    -- one a line, in the order of the covered pieces
    author     bigint NOT NULL,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'registered', 'refused')),
    why        text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE known_serials (                                -- given by a file before the buyer is asked
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    order_id   text NOT NULL,
    sku        text NOT NULL,
    serial_key text NOT NULL,
    serial     text NOT NULL,
    given_at   timestamptz NOT NULL,
    PRIMARY KEY (store_hash, order_id, sku, serial_key)
);

-- Cases: returns, exceptions, cancellations --------------------------------------------------------------------

CREATE TABLE case_orders (                                  -- one row per order with a case: its lock, under which caps are reserved
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    order_id   bigint NOT NULL,
    PRIMARY KEY (store_hash, order_id)
);

CREATE TABLE cases (                                        -- BigCommerce has no returns API: our case is the record
    store_hash      text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    kind            text NOT NULL CHECK (kind IN ('return', 'exception', 'cancellation')),
    state           text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'new', 'open', 'approved', 'settling', 'by_hand',
                        'stuck', 'closed', 'refused', 'withdrawn')),   -- bcapp/core/cases.py
    state_why       text NOT NULL DEFAULT '',
    order_id        bigint NOT NULL,
    origin          text NOT NULL CHECK (origin IN ('staff', 'shopper', 'api', 'app')),
    origin_key      text NOT NULL DEFAULT '',               -- the same for a repeated opening; "" for staff
    opened_by       bigint NOT NULL DEFAULT 0,              -- user; 0: nobody of the panel
    goods_back      boolean NOT NULL DEFAULT false,
    tender          text NOT NULL DEFAULT 'original' CHECK (tender IN ('original', 'store_credit')),
    tolerance       numeric(5, 2) NOT NULL DEFAULT 0 CHECK (tolerance >= 0 AND tolerance <= 100),   -- percent
    reason          text NOT NULL DEFAULT 'other',
    currency        text NOT NULL DEFAULT '',
    quoted          numeric(20, 4),                         -- what the store calculated at the opening
    tax             numeric(20, 4) NOT NULL DEFAULT 0,
    cap             numeric(20, 4) NOT NULL DEFAULT 0,      -- the most that a signature allows
    baseline        jsonb NOT NULL DEFAULT '[]',            -- ids of the order's refunds from before the opening
    looks           integer NOT NULL DEFAULT 0,             -- how often a refund on its way was looked after
    order_facts     jsonb NOT NULL DEFAULT '{}',            -- of the order as last read; for cases that have ended
    contact_name    text NOT NULL DEFAULT '',               -- erasable, as are the next two
    contact_email   text NOT NULL DEFAULT '',               -- lower case
    note            text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    quoted_at       timestamptz,
    approved_at     timestamptz,
    ended_at        timestamptz,
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX cases_of_order ON cases (store_hash, order_id, id);
CREATE UNIQUE INDEX cases_once ON cases (store_hash, origin, origin_key) WHERE origin_key <> '';

CREATE TABLE case_lines (
    store_hash text NOT NULL,
    case_id    bigint NOT NULL,
    position   integer NOT NULL,
    item_type  text NOT NULL,                               -- PRODUCT, SHIPPING, ORDER ...: as the store names them
    item_id    bigint NOT NULL,
    quantity   integer NOT NULL DEFAULT 0,                  -- of a line that goes by pieces
    amount     numeric(20, 4) NOT NULL DEFAULT 0,           -- of one that goes by amount
    available  integer NOT NULL DEFAULT 0,                  -- pieces that were offered
    price      numeric(20, 4) NOT NULL DEFAULT 0,           -- of one piece, with tax
    name       text NOT NULL DEFAULT '',
    sku        text NOT NULL DEFAULT '',
    why        text NOT NULL DEFAULT '',                    -- typed; erasable
    PRIMARY KEY (store_hash, case_id, position),
    FOREIGN KEY (store_hash, case_id) REFERENCES cases (store_hash, id) ON DELETE CASCADE
);

CREATE TABLE case_attempts (                                -- every time we asked the store to refund: committed before the call
    store_hash text NOT NULL,
    case_id    bigint NOT NULL,
    number     integer NOT NULL,
    action_id  bigint NOT NULL,
    order_id   bigint NOT NULL,
    state      text NOT NULL CHECK (state IN ('calling', 'unclear', 'done', 'not_done', 'person')),
    amount     numeric(20, 4) NOT NULL,
    refunded   numeric(20, 4) NOT NULL,                     -- of the order, right before
    known      jsonb NOT NULL,                              -- ids of the order's refunds, right before
    looks      integer NOT NULL DEFAULT 0,                  -- how often it was looked for
    refund_id  bigint,
    why        text NOT NULL DEFAULT '',
    called_at  timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (store_hash, case_id, number),
    FOREIGN KEY (store_hash, case_id) REFERENCES cases (store_hash, id) ON DELETE CASCADE
);
-- One refund of an order at a time, and none while another one's end is unknown.
CREATE UNIQUE INDEX case_attempts_one ON case_attempts (store_hash, order_id) WHERE state IN ('calling', 'unclear');

CREATE TABLE case_refunds (                                 -- refunds seen at the store, and the cases that they count for
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    refund_id  bigint NOT NULL,                             -- BigCommerce's
    case_id    bigint NOT NULL DEFAULT 0,                   -- 0: what of it belongs to no case
    order_id   bigint NOT NULL,
    ours       boolean NOT NULL,
    approved   boolean NOT NULL,                            -- there was an approved case for it
    state      text NOT NULL CHECK (state IN ('settling', 'settled', 'by_hand', 'declined')),
    amount     numeric(20, 4) NOT NULL,                     -- what of the refund counts here
    currency   text NOT NULL,
    made_by    bigint NOT NULL DEFAULT 0,                   -- BigCommerce's user id; 0: it names nobody
    made_at    timestamptz NOT NULL,
    looks      integer NOT NULL DEFAULT 0,
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (store_hash, refund_id, case_id)
);
CREATE INDEX case_refunds_of_case ON case_refunds (store_hash, case_id) WHERE case_id > 0;
CREATE INDEX case_refunds_of_order ON case_refunds (store_hash, order_id);
CREATE INDEX case_refunds_unapproved ON case_refunds (store_hash, made_at DESC) WHERE NOT approved;

-- The engine ----------------------------------------------------------------------------------------------

CREATE TABLE deliveries (                                   -- inbox: "look at this record"
    store_hash  text NOT NULL,
    key         text NOT NULL,                              -- bc:{hash} | cs:{event uuid} | sweep/panel/self:{record}
    source      text NOT NULL CHECK (source IN ('bigcommerce', 'core_signature', 'sweep', 'panel', 'self')),
    topic       text NOT NULL,
    record_kind text NOT NULL,                              -- order | request | store
    record_id   text NOT NULL,
    body        bytea NOT NULL DEFAULT '',                  -- raw bytes, encrypted with the store's data key; cleared when done
    seen        integer NOT NULL DEFAULT 1,
    received_at timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    attempt     integer NOT NULL DEFAULT 0,
    done_at     timestamptz,
    parked_why  text,
    PRIMARY KEY (store_hash, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE done_at IS NULL AND parked_why IS NULL;
-- When the store was heard of last: Home asks every few seconds.
CREATE INDEX deliveries_heard ON deliveries (store_hash, received_at) WHERE source = 'bigcommerce';
CREATE INDEX deliveries_record ON deliveries (store_hash, record_kind, record_id) WHERE done_at IS NULL;

CREATE TABLE actions (                                      -- outbox and timers in one
    store_hash  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL,                              -- bcapp/core/actions.py
    record_kind text NOT NULL,
    record_id   text NOT NULL,
    lane        text NOT NULL DEFAULT 'main',               -- order is kept per record and lane
    seq         bigint NOT NULL,
    request_id  bigint,
    payload     jsonb NOT NULL DEFAULT '{}',
    priority    smallint NOT NULL,                          -- small first: hold and release, send, write-back, sweeps and bulk
    due_at      timestamptz NOT NULL,
    attempt     integer NOT NULL DEFAULT 0,
    generation  integer NOT NULL DEFAULT 0,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'started', 'applied', 'skipped', 'conflict', 'failed')),
    why         text NOT NULL DEFAULT '',
    found       jsonb,                                      -- what it found; written once
    left_as     jsonb,                                      -- what it left
    created_at  timestamptz NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, record_kind, record_id, lane, seq)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX actions_open ON actions (due_at, priority) WHERE state IN ('pending', 'started');
CREATE INDEX actions_of_record ON actions (store_hash, record_kind, record_id, lane, seq);
CREATE INDEX actions_of_request ON actions (store_hash, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE budgets (                                      -- per store and service: what the rate headers say, and the breaker
    store_hash   text NOT NULL,
    service      text NOT NULL CHECK (service IN ('bigcommerce', 'b2b', 'b2b_files', 'core_signature')),
    account_id   bigint NOT NULL DEFAULT 0,
    remaining    integer,
    resets_at    timestamptz,
    wait_until   timestamptz,
    failures     integer NOT NULL DEFAULT 0,
    open_until   timestamptz,                               -- the breaker is open until then; one call tries after it
    opened_at    timestamptz,
    last_error   text NOT NULL DEFAULT '',
    calls_at     timestamptz,
    alarmed_at   timestamptz,                               -- that the breaker is open was said
    paced_until  timestamptz,                               -- after an outage: one call after the other until then
    next_call_at timestamptz,                               -- the next turn that is free
    PRIMARY KEY (store_hash, service, account_id)
);

CREATE TABLE sweeps (
    store_hash text NOT NULL,
    name       text NOT NULL,                               -- of jobs/sweeps.py, SWEEPS
    cursor     timestamptz,
    due_at     timestamptz NOT NULL,
    generation integer NOT NULL DEFAULT 0,
    last_run   jsonb NOT NULL DEFAULT '{}',                 -- read, missed, recovered
    last_at    timestamptz,
    found      jsonb,                                       -- the last round that found something missed; null: none
    found_at   timestamptz,
    PRIMARY KEY (store_hash, name)
);
CREATE INDEX sweeps_due ON sweeps (due_at);

CREATE TABLE hooks (
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint NOT NULL,
    scope      text NOT NULL,
    is_active  boolean NOT NULL,
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE tasks (                                        -- what needs a person; an alarm is a task that is also mailed
    store_hash  text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL,
    record_kind text NOT NULL DEFAULT '',
    record_id   text NOT NULL DEFAULT '',
    request_id  bigint,
    action_id   bigint,
    text        text NOT NULL,                              -- what happened and what to do next
    alarm       boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    done_at     timestamptz,
    done_by     bigint,
    PRIMARY KEY (store_hash, id)
);
CREATE UNIQUE INDEX tasks_once ON tasks (store_hash, kind, record_kind, record_id, COALESCE(request_id, 0)) WHERE done_at IS NULL;

CREATE TABLE counters (                                     -- refused and odd deliveries of a known store, per day
    store_hash text NOT NULL,
    name       text NOT NULL,
    day        date NOT NULL,
    count      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (store_hash, name, day)
);

-- Doors and news --------------------------------------------------------------------------------------------

CREATE TABLE sign_links (                                   -- addresses of signers' pages; a signer may have several
    store_hash text NOT NULL,
    digest     bytea NOT NULL,                              -- SHA-256 of the whole token, which is kept nowhere
    request_id bigint NOT NULL,
    position   integer NOT NULL,
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (store_hash, digest),
    FOREIGN KEY (store_hash, request_id, position) REFERENCES signers (store_hash, request_id, position) ON DELETE CASCADE
);
CREATE INDEX sign_links_of_request ON sign_links (store_hash, request_id);

CREATE TABLE return_asks (                                  -- shoppers who asked for the returns form of an order
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    order_id   bigint NOT NULL,                             -- as typed: there may be no such order
    address    bytea NOT NULL,                              -- keyed digest of the typed address, which is kept nowhere
    sender     bytea,                                       -- keyed digest of the internet address; NULL: not known
    language   text NOT NULL,
    asked_at   timestamptz NOT NULL,
    digest     bytea,                                       -- SHA-256 of the mailed token; NULL: the order is not theirs
    expires_at timestamptz,
    shipped    boolean NOT NULL DEFAULT false,
    offered    jsonb NOT NULL DEFAULT '[]',                 -- lines of the order when the link was mailed: core/returns.py
    PRIMARY KEY (store_hash, id)
);
CREATE UNIQUE INDEX return_asks_by_token ON return_asks (store_hash, digest) WHERE digest IS NOT NULL;
CREATE INDEX return_asks_by_time ON return_asks (asked_at);

CREATE TABLE questions (                                    -- what signers asked on their page; personal, erasable
    store_hash  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    request_id  bigint NOT NULL,
    position    integer NOT NULL,
    text        text NOT NULL,
    asked_at    timestamptz NOT NULL,
    answer      text NOT NULL DEFAULT '',
    answered_by bigint,
    answered_at timestamptz,
    PRIMARY KEY (store_hash, id),
    FOREIGN KEY (store_hash, request_id, position) REFERENCES signers (store_hash, request_id, position) ON DELETE CASCADE
);
CREATE INDEX questions_of_request ON questions (store_hash, request_id);

CREATE TABLE notices (                                      -- mails of ours to those concerned, each once
    store_hash text NOT NULL,
    request_id bigint NOT NULL,
    position   integer NOT NULL,                            -- of the signer who is told
    kind       text NOT NULL,                               -- bcapp/core/notices.py
    made_at    timestamptz NOT NULL,
    address    bytea,                                       -- keyed digest of the address it went to, to count by
    outcome    text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'begun', 'mailed', 'unclear', 'capped', 'not_mailed')),
    mailed_at  timestamptz,
    PRIMARY KEY (store_hash, request_id, position, kind),
    FOREIGN KEY (store_hash, request_id, position) REFERENCES signers (store_hash, request_id, position) ON DELETE CASCADE
);
CREATE INDEX notices_to ON notices (store_hash, address, mailed_at) WHERE mailed_at IS NOT NULL;

CREATE TABLE api_keys (
    store_hash   text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL,
    digest       bytea NOT NULL,                            -- SHA-256 of the whole key, which is shown once
    hint         text NOT NULL,                             -- its last four characters
    role         text NOT NULL CHECK (role IN ('read', 'write')),
    created_by   bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    revoked_by   bigint,
    minute       timestamptz,                               -- the minute that its calls are counted in
    calls        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, digest)
);

CREATE TABLE webhook_endpoints (                            -- where the merchant wants to hear what happened
    store_hash      text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    url             text NOT NULL,
    description     text NOT NULL DEFAULT '',
    events          text[] NOT NULL DEFAULT '{}',           -- names of bcapp/core/news.py; none: all of them
    secret          bytea,                                  -- encrypted; gone after an uninstall
    previous_secret bytea,                                  -- encrypted; signs along until previous_until
    previous_until  timestamptz,
    state           text NOT NULL DEFAULT 'on' CHECK (state IN ('on', 'off')),
    off_why         text NOT NULL DEFAULT '',
    failing_since   timestamptz,                            -- first failure after the last success
    created_by      bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);

CREATE TABLE webhook_messages (                             -- what happened, as it is told; dropped after 30 days
    store_hash text NOT NULL REFERENCES stores ON DELETE CASCADE,
    id         text NOT NULL,                               -- the header webhook-id: the same for every try
    event      text NOT NULL,
    body       text NOT NULL,                               -- the bytes that are signed
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX webhook_messages_by_time ON webhook_messages (made_at);

CREATE TABLE webhook_sends (                                -- one message to one endpoint
    store_hash   text NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    endpoint_id  bigint NOT NULL,
    message_id   text NOT NULL,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    why          text NOT NULL DEFAULT '',
    tries        integer NOT NULL DEFAULT 0,                -- since it was (re)sent
    next_at      timestamptz,
    made_at      timestamptz NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (store_hash, id),
    UNIQUE (store_hash, endpoint_id, message_id),
    FOREIGN KEY (store_hash, endpoint_id) REFERENCES webhook_endpoints (store_hash, id) ON DELETE CASCADE,
    FOREIGN KEY (store_hash, message_id) REFERENCES webhook_messages (store_hash, id) ON DELETE CASCADE
);
CREATE INDEX webhook_sends_of_message ON webhook_sends (store_hash, message_id);

CREATE TABLE webhook_tries (
    store_hash   text NOT NULL,
    send_id      bigint NOT NULL,
    number       integer NOT NULL,
    tried_at     timestamptz NOT NULL,
    status       integer,                                   -- of the answer; null without one
    milliseconds integer NOT NULL,
    why          text NOT NULL DEFAULT '',                  -- "" when it was taken
    PRIMARY KEY (store_hash, send_id, number),
    FOREIGN KEY (store_hash, send_id) REFERENCES webhook_sends (store_hash, id) ON DELETE CASCADE
);

-- Audit ---------------------------------------------------------------------------------------------------

CREATE TABLE audit_log (                                    -- ids, hashes and field names; never personal data
    store_hash  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    happened_at timestamptz NOT NULL,
    actor       text NOT NULL,                              -- user:{id} | app | provider | bigcommerce
    event       text NOT NULL,
    record_kind text NOT NULL DEFAULT '',
    record_id   text NOT NULL DEFAULT '',
    request_id  bigint,
    detail      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (store_hash, id)
);
CREATE INDEX audit_by_time ON audit_log (happened_at);
CREATE INDEX audit_of_record ON audit_log (store_hash, record_kind, record_id, id);

CREATE TABLE audit_chain (                                  -- insert-only: the worker seals log rows into it
    store_hash text NOT NULL,
    position   bigint NOT NULL,
    audit_id   bigint NOT NULL,
    row_sha256 bytea NOT NULL,
    chain_hash bytea NOT NULL,                              -- SHA-256 of the previous chain hash and row_sha256
    sealed_at  timestamptz NOT NULL,
    PRIMARY KEY (store_hash, position),
    UNIQUE (store_hash, audit_id)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% takes new rows only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER audit_chain_insert_only BEFORE UPDATE OR DELETE ON audit_chain FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_insert_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- global
CREATE TABLE refusals (                                     -- counted, nothing else kept: deliveries of unknown stores
    name  text NOT NULL,
    day   date NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, day)
);

CREATE TABLE workers (                                      -- who is alive; shown by /readyz and doctor
    id         text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    release    text NOT NULL
);
