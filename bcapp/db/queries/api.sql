-- Keys of the API, and what it answers. Every answer is one store's.

-- add_api_key --
INSERT INTO api_keys (store_hash, name, digest, hint, role, created_by, created_at)
VALUES (:store_hash, :name, :digest, :hint, :role, :created_by, :now)
RETURNING id;

-- list_api_keys --
-- Newest first; those that were revoked stand last.
SELECT k.id, k.name, k.hint, k.role, k.created_at, k.last_used_at, k.revoked_at, k.created_by
  FROM api_keys k WHERE k.store_hash = :store_hash
 ORDER BY (k.revoked_at IS NOT NULL), k.id DESC LIMIT 100;

-- count_api_keys --
SELECT count(*) FROM api_keys WHERE store_hash = :store_hash AND revoked_at IS NULL;

-- revoke_api_key --
UPDATE api_keys SET revoked_at = :now, revoked_by = :revoked_by
 WHERE store_hash = :store_hash AND id = :id AND revoked_at IS NULL
RETURNING id;

-- use_api_key --
-- Prove a key and count the call within its minute, in one step, so that all processes share the count.
UPDATE api_keys k
   SET last_used_at = :now, minute = CAST(:minute AS timestamptz),
       calls = CASE WHEN k.minute = CAST(:minute AS timestamptz) THEN k.calls + 1 ELSE 1 END
 WHERE k.store_hash = :store_hash AND k.digest = :digest AND k.revoked_at IS NULL
RETURNING k.id, k.role, k.calls, k.created_by;

-- api_requests --
-- One page, newest first, before an id.
SELECT q.id, q.workflow, q.rule_id, q.rule_version, q.purpose, q.record_kind, q.record_id, q.round, q.wanted, q.wanted_why,
       q.status, q.checked, q.bounced, q.simulated, q.blocks, q.agreement_id, q.agreement_version, q.document_language,
       q.created_at, q.sent_at, q.ended_at, q.expires_at
  FROM requests q
 WHERE q.store_hash = :store_hash AND q.id < :before
   AND (:status = '' OR q.status = :status)
   AND (:record_kind = '' OR q.record_kind = :record_kind)
   AND (:record_id = '' OR q.record_id = :record_id)
   AND (CAST(:created_since AS timestamptz) IS NULL OR q.created_at >= CAST(:created_since AS timestamptz))
 ORDER BY q.id DESC LIMIT :size;

-- api_request --
SELECT q.id, q.workflow, q.rule_id, q.rule_version, q.purpose, q.record_kind, q.record_id, q.round, q.wanted, q.wanted_why,
       q.status, q.checked, q.bounced, q.simulated, q.blocks, q.agreement_id, q.agreement_version, q.document_language,
       q.created_at, q.sent_at, q.ended_at, q.expires_at, q.inputs
  FROM requests q WHERE q.store_hash = :store_hash AND q.id = :id;

-- api_signers --
-- Who is asked and how it stands. Nothing that leads to a document is kept with them.
SELECT request_id, position, turn, name, email, role, state, state_at FROM signers
 WHERE store_hash = :store_hash AND request_id = ANY(CAST(:ids AS bigint[])) ORDER BY request_id, position;

-- api_documents --
SELECT part, sha256, size_bytes, verified, kept_at FROM evidence
 WHERE store_hash = :store_hash AND request_id = :request_id ORDER BY part;

-- api_records --
SELECT kind, id, label, amount, currency, looked_at, gone_since, created_at FROM records
 WHERE store_hash = :store_hash AND kind = :kind AND looked_at IS NOT NULL
   AND (CAST(:after_at AS timestamptz) IS NULL OR (created_at, id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS text)))
 ORDER BY created_at DESC, id DESC LIMIT :size;

-- api_record --
SELECT kind, id, label, amount, currency, looked_at, gone_since, created_at FROM records
 WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- api_hold --
SELECT method, state, state_why, blocking, wanted_at, held_at, opened_at FROM holds
 WHERE store_hash = :store_hash AND record_kind = :kind AND record_id = :id;

-- api_cases --
-- One page, newest first, before an id; what each has taken of its cap.
SELECT c.id, c.kind, c.state, c.state_why, c.order_id, c.origin, c.goods_back, c.tender, c.tolerance, c.reason, c.currency,
       c.quoted, c.cap, c.created_at, c.approved_at, c.ended_at,
       COALESCE((SELECT sum(r.amount) FROM case_refunds r
                  WHERE r.store_hash = c.store_hash AND r.case_id = c.id AND r.state <> 'declined'), 0) AS taken
  FROM cases c
 WHERE c.store_hash = :store_hash AND c.id < :before
   AND (:state = '' OR c.state = :state)
   AND (CAST(:order_id AS bigint) IS NULL OR c.order_id = CAST(:order_id AS bigint))
 ORDER BY c.id DESC LIMIT :size;

-- api_case_refunds --
SELECT refund_id, amount, currency, state, made_at, ours FROM case_refunds
 WHERE store_hash = :store_hash AND case_id = :case_id ORDER BY made_at, refund_id LIMIT 500;

-- api_suppliers --
-- One page, newest first, before an id.
SELECT id FROM suppliers
 WHERE store_hash = :store_hash AND id < :before AND (:state = '' OR state = :state)
 ORDER BY id DESC LIMIT :size;

-- api_registrations --
-- One page, newest first, before an id.
SELECT id, order_id, request_id, paper_id, rule_id, item_id, piece, quantity, product_id, sku, name, cover, serial,
       starts_on, ends_on, renewal_asked_at, state, state_why, ended_on, created_at
  FROM registrations
 WHERE store_hash = :store_hash AND id < :before
   AND (:order_id = '' OR order_id = :order_id) AND (:serial = '' OR serial_key = :serial)
   AND (:state = '' OR state = :state)
 ORDER BY id DESC LIMIT :size;

-- api_registration --
SELECT id, order_id, request_id, paper_id, rule_id, item_id, piece, quantity, product_id, sku, name, cover, serial,
       starts_on, ends_on, renewal_asked_at, state, state_why, ended_on, created_at
  FROM registrations WHERE store_hash = :store_hash AND id = :id;
