-- Decisions kept, the past that rules are tried on, and the tries.

-- keep_decision --
-- What every rule said, unless it is what it said last.
INSERT INTO decisions (store_hash, record_kind, record_id, decided_at, traces, traces_sha256, facts_sha256, would_ask)
SELECT :store_hash, :record_kind, :record_id, :now, CAST(:traces AS jsonb), :traces_sha256, :facts_sha256,
       CAST(:would_ask AS text[])
 WHERE COALESCE((SELECT d.traces_sha256 FROM decisions d
                  WHERE d.store_hash = :store_hash AND d.record_kind = :record_kind AND d.record_id = :record_id
                  ORDER BY d.id DESC LIMIT 1), :nothing) <> :traces_sha256;

-- decisions_of_record --
-- Newest first.
SELECT id, decided_at, traces FROM decisions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
 ORDER BY id DESC LIMIT :most;

-- clear_decisions --
-- global: decisions of any store are dropped by age, in batches.
DELETE FROM decisions WHERE ctid IN (SELECT ctid FROM decisions WHERE decided_at < :before LIMIT 5000);

-- monitored_days --
-- Records of which a monitored version of a rule would have asked, by the day in the store's zone on which it first
-- said so. A record counts once.
SELECT first.day, r.currency, count(*) AS asked, COALESCE(sum(r.amount), 0) AS amount
  FROM (SELECT d.record_kind, d.record_id, CAST(min(d.decided_at) AT TIME ZONE :zone AS date) AS day
          FROM decisions d
         WHERE d.store_hash = :store_hash AND d.would_ask <> '{}' AND d.would_ask @> CAST(:wanted AS text[])
         GROUP BY d.record_kind, d.record_id) first
  JOIN records r ON r.store_hash = :store_hash AND r.kind = first.record_kind AND r.id = first.record_id
 GROUP BY first.day, r.currency
 ORDER BY first.day, r.currency;

-- monitored_records --
-- The newest records of which a monitored version of a rule would have asked.
SELECT r.kind, r.id, r.label, r.amount, r.currency, first.at
  FROM (SELECT d.record_kind, d.record_id, min(d.decided_at) AS at
          FROM decisions d
         WHERE d.store_hash = :store_hash AND d.would_ask <> '{}' AND d.would_ask @> CAST(:wanted AS text[])
         GROUP BY d.record_kind, d.record_id) first
  JOIN records r ON r.store_hash = :store_hash AND r.kind = first.record_kind AND r.id = first.record_id
 ORDER BY first.at DESC LIMIT :most;

-- monitored_looked --
-- How many records this version of a rule was asked about, and since when.
SELECT count(DISTINCT (d.record_kind, d.record_id)) AS looked, min(d.decided_at) AS since
  FROM decisions d
 WHERE d.store_hash = :store_hash AND d.decided_at >= :since
   AND d.traces @> jsonb_build_array(jsonb_build_object('rule', CAST(:rule_id AS bigint), 'version', CAST(:version AS integer),
                                                        'standing', 'monitor'));

-- keep_past --
-- A record as it was read. What was read with fewer parts never replaces what was read whole; it only marks it as old.
INSERT INTO past_records (store_hash, kind, id, label, created_at, modified_at, read_at, complete, facts, customer,
    has_email, amount, currency)
VALUES (:store_hash, :kind, :id, :label, :created_at, :modified_at, :now, :complete, CAST(:facts AS jsonb), :customer,
    :has_email, CAST(:amount AS numeric), :currency)
ON CONFLICT (store_hash, kind, id) DO UPDATE
   SET label = excluded.label, created_at = excluded.created_at, modified_at = excluded.modified_at,
       read_at = excluded.read_at, customer = excluded.customer, has_email = excluded.has_email,
       amount = excluded.amount, currency = excluded.currency,
       facts = CASE WHEN excluded.complete OR NOT past_records.complete THEN excluded.facts ELSE past_records.facts END,
       complete = excluded.complete OR (past_records.complete AND past_records.modified_at >= excluded.modified_at);

-- drop_past --
DELETE FROM past_records WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- past_record --
SELECT id, label, created_at, modified_at, read_at, complete, facts, customer, has_email, amount, currency
  FROM past_records WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- past_end --
-- Where a page ends, read from the index alone: pages are fetched beside each other, and none waits for the one before.
WITH page AS (
    SELECT customer, created_at, id FROM past_records
     WHERE store_hash = :store_hash AND kind = :kind
       AND (customer, created_at, id) > (:customer, CAST(:created_at AS timestamptz), :id)
       AND created_at >= :since
     ORDER BY customer, created_at, id LIMIT :most)
SELECT customer, created_at, id, (SELECT count(*) FROM page) AS count FROM page
 ORDER BY customer DESC, created_at DESC, id DESC LIMIT 1;

-- past_page --
-- Customer by customer, so that repeats are counted without a list of customers.
-- One text for the whole page, read off the event loop: a value for each column of each record takes three times as
-- long.
-- Of the facts come only the keys that are read; of the parts that hold objects (thinned), these without some names.
WITH page AS MATERIALIZED (
    SELECT id, label, created_at, customer, has_email, amount, currency, facts - CAST(:without AS text[]) AS facts
      FROM past_records
     WHERE store_hash = :store_hash AND kind = :kind
       AND (customer, created_at, id) > (:customer, CAST(:created_at AS timestamptz), :id)
       AND (customer, created_at, id) <= (:last_customer, CAST(:last_created_at AS timestamptz), :last_id)
       AND created_at >= :since)
SELECT count(*) AS count,
       CAST(json_agg(json_build_array(id, label, created_at, customer, has_email, CAST(amount AS text), currency,
                                      facts - CAST(:thinned AS text[]),
            (SELECT json_object_agg(part, CASE jsonb_typeof(facts -> part)
                      WHEN 'object' THEN (facts -> part) - CAST(:names AS text[])
                      WHEN 'array' THEN COALESCE(
                           (SELECT jsonb_agg(CASE jsonb_typeof(value) WHEN 'object' THEN value - CAST(:names AS text[])
                                             ELSE value END)
                              FROM jsonb_array_elements(facts -> part)), '[]')
                      ELSE facts -> part END)
               FROM unnest(CAST(:thinned AS text[])) part WHERE facts ? part))
                     ORDER BY customer, created_at, id) AS text) AS records
  FROM page;

-- past_accounts --
-- The address and the company (0: none) of customers, as far as they are stored.
SELECT id, COALESCE(facts ->> 'email', '') AS email, COALESCE(CAST(facts ->> 'company_id' AS bigint), 0) AS company_id
  FROM past_records WHERE store_hash = :store_hash AND kind = 'customer' AND id = ANY(CAST(:ids AS text[]));

-- past_count --
SELECT count(*) FROM past_records WHERE store_hash = :store_hash AND kind = :kind AND created_at >= :since;

-- past_known --
-- Of these records, which are stored whole, and as of which change; only those read since a moment, if one is given.
SELECT id, modified_at FROM past_records
 WHERE store_hash = :store_hash AND kind = :kind AND complete AND id = ANY(CAST(:ids AS text[]))
   AND read_at >= COALESCE(CAST(:read_since AS timestamptz), read_at);

-- past_incomplete --
-- Stored in part, or without an extra part that is wanted.
SELECT id, modified_at FROM past_records
 WHERE store_hash = :store_hash AND kind = :kind AND created_at >= :since
   AND (NOT complete OR COALESCE(facts -> 'unread', '[]') ?| CAST(:parts AS text[]))
 ORDER BY id LIMIT :most;

-- drop_past_unseen --
-- What the store's list did not name any more.
DELETE FROM past_records WHERE store_hash = :store_hash AND kind = :kind AND read_at < :before;

-- begin_past_read --
-- Nothing comes back while it is being read, unless that has stopped moving.
INSERT INTO past_reads (store_hash, kind, state, cursor, updated_at, used_at)
VALUES (:store_hash, :kind, 'reading', CAST(:cursor AS jsonb), :now, :now)
ON CONFLICT (store_hash, kind) DO UPDATE
   SET state = 'reading', why = '', cursor = excluded.cursor, total = NULL, done = 0, updated_at = :now
 WHERE past_reads.state <> 'reading'
RETURNING kind;

-- use_past --
-- Something is tried on it; parts: extra ones that it wants.
UPDATE past_reads
   SET used_at = :now, parts = ARRAY(SELECT DISTINCT unnest(parts || CAST(:parts AS text[])) ORDER BY 1)
 WHERE store_hash = :store_hash AND kind = :kind;

-- fetch_past_read --
SELECT state, why, cursor, total, done, read_until, updated_at, used_at, parts FROM past_reads
 WHERE store_hash = :store_hash AND kind = :kind;

-- save_past_read --
UPDATE past_reads
   SET state = :state, cursor = CAST(:cursor AS jsonb), total = COALESCE(CAST(:total AS integer), total), done = :done,
       read_until = COALESCE(CAST(:read_until AS timestamptz), read_until), updated_at = :now
 WHERE store_hash = :store_hash AND kind = :kind;

-- past_read_open --
-- The action that reads the past of a kind, while there is one.
SELECT id, state, why FROM actions
 WHERE store_hash = :store_hash AND kind = 'read_past' AND record_kind = 'past' AND record_id = :kind
   AND state IN ('pending', 'started') LIMIT 1;

-- clear_past --
-- global: what is older than the time that is kept, in batches.
DELETE FROM past_records WHERE ctid IN (SELECT ctid FROM past_records
 WHERE created_at < :before AND kind = ANY(CAST(:kinds AS text[])) LIMIT 5000);

-- clear_unused_past --
-- global: of stores where nothing was tried for long, what looks alone do not need is dropped.
DELETE FROM past_reads WHERE used_at < :before RETURNING store_hash, kind;

-- drop_past_of_kind --
DELETE FROM past_records WHERE store_hash = :store_hash AND kind = :kind;

-- add_tryout --
INSERT INTO tryouts (store_hash, kind, rule_id, rule_version, name, definition, state, author, created_at, updated_at)
VALUES (:store_hash, :kind, :rule_id, :rule_version, :name, CAST(:definition AS jsonb), 'waiting', :author, :now, :now)
RETURNING id;

-- fetch_tryout --
SELECT id, kind, rule_id, rule_version, name, definition, state, why, step, cursor, tally, total, whole, author,
       created_at, updated_at
  FROM tryouts WHERE store_hash = :store_hash AND id = :id;

-- newest_tryout --
SELECT id FROM tryouts WHERE store_hash = :store_hash AND rule_id = :rule_id AND kind = :kind
   AND (rule_version = :rule_version OR CAST(:rule_version AS integer) IS NULL)
 ORDER BY id DESC LIMIT 1;

-- list_tryouts --
SELECT id, kind, rule_id, rule_version, name, state, created_at, tally->'looked' AS looked, tally->'asked' AS asked
  FROM tryouts WHERE store_hash = :store_hash ORDER BY id DESC LIMIT :most;

-- restart_tryout --
UPDATE tryouts
   SET state = 'waiting', why = '', step = step + 1, cursor = '{}', tally = '{}', updated_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state IN ('counted', 'failed')
RETURNING id;

-- unfinished_tryouts --
-- Counted on a part of the past: they are counted again once it is read whole.
SELECT id FROM tryouts
 WHERE store_hash = :store_hash AND kind = :kind AND NOT whole AND state = 'counted' AND created_at > :since
 ORDER BY id DESC LIMIT 20;

-- lock_past_read --
-- How the reading stands, once nobody is just writing it down.
SELECT state FROM past_reads WHERE store_hash = :store_hash AND kind = :kind FOR UPDATE;

-- save_tryout --
-- One slice. A runner that was overtaken writes nothing.
UPDATE tryouts
   SET state = :state, step = step + 1, cursor = CAST(:cursor AS jsonb), tally = CAST(:tally AS jsonb),
       total = :total, whole = :whole, updated_at = :now
 WHERE store_hash = :store_hash AND id = :id AND step = :step
RETURNING step;

-- clear_tryouts --
-- global: tries of any store are dropped by age.
DELETE FROM tryouts WHERE created_at < :before;

-- live_rules --
-- The rules that ask, for comparing a draft with them.
SELECT r.id, r.version, r.name, r.workflow, v.definition
  FROM rules r JOIN rule_versions v
    ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.mode = 'live' AND NOT r.archived
 ORDER BY r.position, r.id LIMIT :most;

-- whatif_newest --
SELECT id, label, created_at FROM past_records WHERE store_hash = :store_hash AND kind = :kind
 ORDER BY read_at DESC, id DESC LIMIT :most;

-- whatif_rules --
-- Every rule of these workflows that is not archived, in whatever mode.
SELECT r.id, r.version, r.name, r.workflow, r.mode, r.live_since, r.paused_why, v.definition,
       EXISTS (SELECT 1 FROM rule_inclusions i
                WHERE i.store_hash = r.store_hash AND i.rule_id = r.id
                  AND i.record_kind = :record_kind AND i.record_id = :record_id) AS included
  FROM rules r JOIN rule_versions v
    ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.workflow = ANY(CAST(:workflows AS text[])) AND NOT r.archived
 ORDER BY r.position, r.id LIMIT :most;
