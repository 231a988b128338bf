-- What a look reads and writes: deliveries, records, rules, requests, holds, tasks.

-- add_delivery --
-- Say "look at this record". A key that is known sets its row due again; a second one costs a read, never an event.
INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, body, received_at, due_at)
VALUES (:store_hash, :key, :source, :topic, :record_kind, :record_id, :body, :now, :due_at)
ON CONFLICT (store_hash, key) DO UPDATE
   SET seen = deliveries.seen + 1, done_at = NULL, parked_why = NULL, attempt = 0,
       due_at = LEAST(excluded.due_at, CASE WHEN deliveries.done_at IS NULL THEN deliveries.due_at ELSE excluded.due_at END)
RETURNING seen;

-- due_deliveries --
SELECT key, source, topic, body, seen, received_at, attempt
  FROM deliveries
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL AND parked_why IS NULL AND due_at <= :now
 ORDER BY received_at, key;

-- finish_deliveries --
-- Done, unless it came again since it was read.
UPDATE deliveries d SET done_at = :now, body = ''
  FROM jsonb_to_recordset(CAST(:read AS jsonb)) AS r(key text, seen integer)
 WHERE d.store_hash = :store_hash AND d.key = r.key AND d.seen = r.seen;

-- postpone_deliveries --
UPDATE deliveries SET attempt = attempt + :counted, due_at = :due_at
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL AND parked_why IS NULL AND due_at <= :now;

-- park_deliveries --
-- A person looks at it; the rest goes on.
UPDATE deliveries SET parked_why = :why
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL AND parked_why IS NULL AND due_at <= :now;

-- due_looks --
-- global: the tick of every worker asks which records of any store are due, at most some per store. Those that come by
-- the thousand go behind all others, unless a person waits for one.
SELECT store_hash, record_kind, record_id, NOT in_crowd AS pressed
  FROM (SELECT store_hash, record_kind, record_id, in_crowd, due_at,
               row_number() OVER (PARTITION BY store_hash ORDER BY in_crowd, due_at) AS place
          FROM (SELECT store_hash, record_kind, record_id, min(due_at) AS due_at,
                       bool_and(record_kind = ANY(CAST(:in_thousands AS text[])) AND source <> 'panel') AS in_crowd
                  FROM deliveries
                 WHERE done_at IS NULL AND parked_why IS NULL AND due_at <= :now
                 GROUP BY store_hash, record_kind, record_id) each_record) due
 WHERE place <= :per_store
 ORDER BY in_crowd, due_at
 LIMIT :most;

-- clear_deliveries --
-- global: done rows of any store are deleted in batches.
DELETE FROM deliveries
 WHERE ctid IN (SELECT ctid FROM deliveries WHERE done_at < :before LIMIT 5000);

-- see_record --
INSERT INTO records (store_hash, kind, id, created_at) VALUES (:store_hash, :kind, :id, :now)
ON CONFLICT DO NOTHING;

-- fetch_record --
SELECT store_hash, kind, id, version, label, amount, currency, facts, trace, gone_since, looked_at, created_at
  FROM records WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- lock_record --
SELECT version, looked_at FROM records WHERE store_hash = :store_hash AND kind = :kind AND id = :id FOR UPDATE;

-- save_look --
UPDATE records
   SET version = version + 1, label = :label, amount = :amount, currency = :currency, facts = CAST(:facts AS jsonb),
       trace = CAST(:trace AS jsonb), gone_since = NULL, looked_at = :now
 WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- save_gone --
UPDATE records SET version = version + 1, gone_since = COALESCE(gone_since, :now), looked_at = :now
 WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- known_subsidiaries --
-- Companies that stood below this one when they were read last.
SELECT id FROM records
 WHERE store_hash = :store_hash AND kind = 'company' AND facts ->> 'parent_id' = :id AND gone_since IS NULL;

-- raise_record_version --
-- What a look that is under way has read is older than this: it must read again.
UPDATE records SET version = version + 1 WHERE store_hash = :store_hash AND kind = :record_kind AND id = :record_id;

-- touch_record --
UPDATE records SET version = version + 1, looked_at = :now
 WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- rules_in_force --
SELECT r.id, r.version, r.name, r.workflow, r.mode, r.live_since, r.paused_why, v.definition,
       EXISTS (SELECT 1 FROM rule_inclusions i
                WHERE i.store_hash = r.store_hash AND i.rule_id = r.id
                  AND i.record_kind = :record_kind AND i.record_id = :record_id) AS included,
       (SELECT count(*) FROM requests q WHERE q.store_hash = r.store_hash AND q.rule_id = r.id
           AND q.created_at > CAST(:now AS timestamptz) - interval '1 hour') AS asked_last_hour,
       (SELECT count(*) FROM requests q WHERE q.store_hash = r.store_hash AND q.rule_id = r.id
           AND q.created_at > CAST(:now AS timestamptz) - interval '1 day') AS asked_last_day
  FROM rules r JOIN rule_versions v
    ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.workflow = ANY(CAST(:workflows AS text[])) AND r.mode IN ('live', 'monitor') AND NOT r.archived
 ORDER BY r.position, r.id;

-- lock_rules_asking --
-- One look after the other counts what these rules asked. What refers to a rule is not kept waiting.
SELECT id FROM rules WHERE store_hash = :store_hash AND id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE;

-- fetch_rule_definition --
SELECT r.id, r.version, r.name, r.workflow, r.mode, r.live_since, r.paused_why, v.definition
  FROM rules r JOIN rule_versions v
    ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.id = :id;

-- pause_rule --
UPDATE rules SET paused_why = :why WHERE store_hash = :store_hash AND id = :id AND paused_why = '';

-- acted_on_record --
SELECT DISTINCT kind, request_id FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND request_id IS NOT NULL;

-- storefront_channels --
SELECT id FROM channels WHERE store_hash = :store_hash AND type = 'storefront' ORDER BY id;

-- directory_people --
SELECT id, name, email, language, state, deputy_id, deputy_from, deputy_until FROM people WHERE store_hash = :store_hash;

-- directory_limits --
SELECT person_id, currency, up_to FROM approval_limits WHERE store_hash = :store_hash;

-- newest_agreements --
SELECT id, version FROM agreements WHERE store_hash = :store_hash;

-- test_mode_person --
SELECT p.id, p.name, p.email, p.language
  FROM users u JOIN people p ON p.store_hash = u.store_hash AND p.id = u.person_id
 WHERE u.store_hash = :store_hash AND u.id = :user_id;

-- requests_of_record --
SELECT * FROM requests
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
 ORDER BY created_at, id;

-- fetch_request --
SELECT * FROM requests WHERE store_hash = :store_hash AND id = :id;

-- lock_request --
SELECT * FROM requests WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- signers_of_record --
-- By an array, not a join: planned while the tables are small, a join would go on reading all signers of the store.
SELECT * FROM signers
 WHERE store_hash = :store_hash
   AND request_id = ANY(ARRAY(SELECT id FROM requests
                               WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id))
 ORDER BY request_id, position;

-- signers_of_request --
SELECT * FROM signers WHERE store_hash = :store_hash AND request_id = :request_id ORDER BY position;

-- next_request_id --
SELECT nextval(pg_get_serial_sequence('requests', 'id'));

-- add_request --
INSERT INTO requests (store_hash, id, workflow, rule_id, rule_version, purpose, record_kind, record_id, round, round_why,
    projection, fingerprint, snapshot, simulated, blocks, counts, account_id, agreement_id, agreement_version, language,
    nonce, external_id, expires_at, created_at)
OVERRIDING SYSTEM VALUE
VALUES (:store_hash, :id, :workflow, :rule_id, :rule_version, :purpose, :record_kind, :record_id, :round, :round_why,
    :projection, :fingerprint, CAST(:snapshot AS jsonb), :simulated, :blocks, CAST(:counts AS jsonb), :account_id, :agreement_id,
    :agreement_version, :language, :nonce, :external_id, :expires_at, :now);

-- add_signer --
INSERT INTO signers (store_hash, request_id, position, turn, person_id, name, email, role, may_forward)
VALUES (:store_hash, :request_id, :position, :turn, :person_id, :name, :email, :role, :may_forward);

-- update_signer --
UPDATE signers SET state = :state, state_at = :state_at, reason = :reason, forwarded_to = :forwarded_to, email = :email
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position;

-- want_cancel --
UPDATE requests SET wanted = 'cancel', wanted_why = :why, status_why = COALESCE(NULLIF(:said, ''), status_why)
 WHERE store_hash = :store_hash AND id = :id AND wanted = 'open'
   AND status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')
RETURNING id;

-- move_request --
UPDATE requests
   SET status = :status, status_why = :why,
       sent_at = CASE WHEN :status IN ('sent', 'viewed', 'partly_signed', 'completed', 'declined') THEN COALESCE(sent_at, :now) ELSE sent_at END,
       ended_at = CASE WHEN CAST(:is_end AS boolean) THEN COALESCE(ended_at, :now) ELSE ended_at END,
       remind_at = CASE WHEN CAST(:is_end AS boolean) THEN NULL ELSE remind_at END,
       read_due_at = CASE WHEN CAST(:is_end AS boolean) THEN NULL ELSE read_due_at END
 WHERE store_hash = :store_hash AND id = :id;

-- update_request --
-- A null leaves a part as it is.
UPDATE requests
   SET inputs = COALESCE(CAST(:inputs AS jsonb), inputs),
       provider_status = COALESCE(:provider_status, provider_status),
       provider_request = COALESCE(CAST(:provider_request AS uuid), provider_request),
       bounced = COALESCE(:bounced, bounced),
       remind_at = COALESCE(:remind_at, remind_at),
       reminded = COALESCE(:reminded, reminded)
 WHERE store_hash = :store_hash AND id = :id;

-- missing_document --
-- How earlier reads missed the document, and the account that it was made with.
SELECT missing_since, missing_reads, missing_told, provider_account FROM requests
 WHERE store_hash = :store_hash AND id = :id;

-- miss_document --
-- The next read is asked for by its time; without one it stays as it is.
UPDATE requests
   SET missing_since = :since, missing_reads = :reads, missing_told = :told, read_due_at = COALESCE(:read_at, read_due_at)
 WHERE store_hash = :store_hash AND id = :id;

-- set_read_due --
UPDATE requests SET read_due_at = :read_due_at WHERE store_hash = :store_hash AND id = :id;

-- keep_document --
UPDATE requests
   SET document_sha256 = :sha256, document_fields = CAST(:fields AS jsonb),
       document_language = :document_language, binding_id = :binding_id,
       callback_digest = :callback_digest, callback_token = :callback_token
 WHERE store_hash = :store_hash AND id = :id AND provider_document IS NULL;

-- adopt_document --
UPDATE requests SET provider_document = CAST(:uuid AS uuid), provider_document_url = :url, provider_account = :account
 WHERE store_hash = :store_hash AND id = :id AND provider_document IS NULL;

-- callback_token --
SELECT callback_token FROM requests WHERE store_hash = :store_hash AND id = :id;

-- set_checked --
UPDATE requests SET checked = :checked, checked_why = :why WHERE store_hash = :store_hash AND id = :id;

-- fetch_hold --
SELECT * FROM holds WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id;

-- save_hold --
INSERT INTO holds (store_hash, record_kind, record_id, method, state, state_why, found, left_as, blocking, wanted_at,
                   held_at, opened_at, exposed_seconds)
VALUES (:store_hash, :record_kind, :record_id, :method, :state, :why, CAST(:found AS jsonb), CAST(:left_as AS jsonb),
        '[]', :wanted_at, :held_at, :opened_at, :exposed_seconds)
ON CONFLICT (store_hash, record_kind, record_id) DO UPDATE
   SET method = excluded.method, state = excluded.state, state_why = excluded.state_why, found = excluded.found,
       left_as = excluded.left_as, wanted_at = excluded.wanted_at, held_at = excluded.held_at,
       opened_at = excluded.opened_at, exposed_seconds = excluded.exposed_seconds,
       kept_by = CASE WHEN excluded.state IN ('holding', 'held', 'kept') THEN holds.kept_by END,
       kept_at = CASE WHEN excluded.state IN ('holding', 'held', 'kept') THEN holds.kept_at END,
       alarmed_at = CASE WHEN excluded.wanted_at > holds.wanted_at THEN NULL ELSE holds.alarmed_at END;

-- set_blocking --
UPDATE holds h
   SET blocking = COALESCE((SELECT jsonb_agg(q.id ORDER BY q.id) FROM requests q
                             WHERE q.store_hash = h.store_hash AND q.record_kind = h.record_kind
                               AND q.record_id = h.record_id AND q.blocks AND q.wanted = 'open'
                               AND q.status <> 'cancelled' AND NOT (q.status = 'completed' AND q.checked <> '')), '[]')
 WHERE h.store_hash = :store_hash AND h.record_kind = :record_kind AND h.record_id = :record_id;

-- late_holds --
-- global: the tick asks which holds of any store were wanted and are not placed in time.
SELECT store_hash, record_kind, record_id, wanted_at FROM holds
 WHERE state = 'holding' AND alarmed_at IS NULL AND wanted_at < :before LIMIT 100;

-- mark_hold_alarmed --
UPDATE holds SET alarmed_at = :now
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND alarmed_at IS NULL
RETURNING record_id;

-- add_task --
INSERT INTO tasks (store_hash, kind, record_kind, record_id, request_id, action_id, text, alarm, created_at)
SELECT :store_hash, :kind, :record_kind, :record_id, CAST(:request_id AS bigint), CAST(:action_id AS bigint), :text, :alarm, :now
 WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.store_hash = :store_hash AND t.kind = :kind
                      AND t.record_kind = :record_kind AND t.record_id = :record_id
                      AND CAST(:request_id AS bigint) IS NOT NULL AND t.request_id = CAST(:request_id AS bigint))
ON CONFLICT DO NOTHING
RETURNING id;

-- settle_tasks --
UPDATE tasks SET done_at = :now
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL AND kind = ANY(CAST(:kinds AS text[]))
   AND (CAST(:request_id AS bigint) IS NULL OR request_id = CAST(:request_id AS bigint));

-- fetch_task --
SELECT * FROM tasks WHERE store_hash = :store_hash AND id = :id;

-- due_requests --
-- global: the tick asks which requests of any store are to be read again. The read also reminds and expires what is
-- due by then; it is asked for by this one time only, which every read pushes on. Reads of an account that is called by
-- turns (jobs/gates.py) wait for a while: of thousands that wait for a signature they would take every turn.
SELECT q.store_hash, q.id FROM requests q JOIN stores s ON s.store_hash = q.store_hash AND s.state = 'active'
 WHERE q.read_due_at <= :now
   AND (q.read_due_at <= :overdue
        OR NOT EXISTS (SELECT FROM budgets b
                        WHERE b.store_hash = q.store_hash AND b.service = 'core_signature' AND b.account_id = q.account_id
                          AND b.paced_until > :now))
 ORDER BY q.read_due_at LIMIT :most;

-- push_read_due --
UPDATE requests SET read_due_at = :read_due_at WHERE store_hash = :store_hash AND id = :id AND read_due_at <= :now;

-- keep_evidence --
INSERT INTO evidence (store_hash, request_id, part, sha256, size_bytes, provider_hash, verified, kept_at)
VALUES (:store_hash, :request_id, :part, :sha256, :size_bytes, :provider_hash, :verified, :now)
ON CONFLICT (store_hash, request_id, part) DO NOTHING;

-- evidence_of_request --
SELECT part, sha256, size_bytes, provider_hash, verified, kept_at FROM evidence
 WHERE store_hash = :store_hash AND request_id = :request_id ORDER BY part;
