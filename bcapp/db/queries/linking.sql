-- What hangs on the store's own records: screens beside them, documents signed outside, what left without a signature.

-- rules_beside --
SELECT r.id, r.name, r.mode, v.definition
  FROM rules r JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND NOT r.archived AND r.mode IN ('live', 'monitor')
 ORDER BY r.position, r.id LIMIT 200;

-- acceptances_beside --
-- What a customer has accepted and what still counts, the newest first.
SELECT a.id, a.agreement_version, a.valid_from, a.valid_until, g.name
  FROM acceptances a JOIN agreements g ON g.store_hash = a.store_hash AND g.id = a.agreement_id
 WHERE a.store_hash = :store_hash AND a.party_kind = 'customer' AND a.party_id = :id AND a.revoked_at IS NULL
 ORDER BY a.valid_from DESC, a.id DESC LIMIT 20;

-- outside_accounts --
SELECT id FROM signature_accounts WHERE store_hash = :store_hash AND state <> 'broken' ORDER BY id;

-- outside_sharing --
-- global: one signature account may serve several stores, and what is another store's must not be shown.
SELECT DISTINCT o.store_hash
  FROM signature_accounts m
  JOIN signature_accounts o ON o.store_hash <> m.store_hash
                           AND (o.client_id = m.client_id
                                OR lower(o.tenant) = lower(m.tenant) AND (m.tenant <> '' OR o.api_root = m.api_root))
 WHERE m.store_hash = :store_hash AND m.id = :account_id;

-- outside_taken --
-- Documents that some of these stores asked for, or linked.
SELECT CAST(q.provider_document AS text) AS document FROM requests q
 WHERE q.store_hash = ANY(CAST(:store_hashes AS text[])) AND q.provider_document = ANY(CAST(:documents AS uuid[]))
UNION
SELECT CAST(d.document AS text) FROM outside_documents d
 WHERE d.store_hash = ANY(CAST(:store_hashes AS text[])) AND d.document = ANY(CAST(:documents AS uuid[]))
   AND d.state = 'linked';

-- outside_addresses --
-- Those of the addresses that some of these stores know, as a signer, a contact, or on a record.
SELECT g.email FROM signers g
 WHERE g.store_hash = ANY(CAST(:store_hashes AS text[])) AND g.email = ANY(CAST(:emails AS text[]))
UNION
SELECT c.email FROM supplier_contacts c
 WHERE c.store_hash = ANY(CAST(:store_hashes AS text[])) AND c.email = ANY(CAST(:emails AS text[]))
UNION
SELECT p.email FROM people p
 WHERE p.store_hash = ANY(CAST(:store_hashes AS text[])) AND p.email = ANY(CAST(:emails AS text[]))
UNION
SELECT lower(btrim(v #>> '{}')) FROM records r
 CROSS JOIN LATERAL jsonb_path_query(r.facts -> 'snapshot', '$.** ? (@.type() == "string")') v
 WHERE r.store_hash = ANY(CAST(:store_hashes AS text[])) AND lower(btrim(v #>> '{}')) = ANY(CAST(:emails AS text[]));

-- outside_staff --
-- Those of the addresses that are the store's own people's: they sign a little of everything.
SELECT p.email FROM people p WHERE p.store_hash = :store_hash AND p.email = ANY(CAST(:emails AS text[]))
UNION
SELECT lower(u.email) FROM users u WHERE u.store_hash = :store_hash AND lower(u.email) = ANY(CAST(:emails AS text[]))
UNION
SELECT lower(a.from_email) FROM signature_accounts a
 WHERE a.store_hash = :store_hash AND lower(a.from_email) = ANY(CAST(:emails AS text[]));

-- outside_by_address --
-- Records on which one of the addresses stands as who signs there.
SELECT kind, id, email FROM (
    SELECT r.kind, r.id, lower(btrim(v #>> '{}')) AS email, r.created_at FROM records r
     CROSS JOIN LATERAL jsonb_path_query(r.facts -> 'snapshot', '$.** ? (@.type() == "string")') v
     WHERE r.store_hash = :store_hash AND lower(btrim(v #>> '{}')) = ANY(CAST(:emails AS text[]))
    UNION
    SELECT q.record_kind, q.record_id, g.email, q.created_at FROM signers g
      JOIN requests q ON q.store_hash = g.store_hash AND q.id = g.request_id AND q.purpose = 'customer'
     WHERE g.store_hash = :store_hash AND g.email = ANY(CAST(:emails AS text[]))
    UNION
    SELECT 'supplier', CAST(c.supplier_id AS text), c.email, s.created_at FROM supplier_contacts c
      JOIN suppliers s ON s.store_hash = c.store_hash AND s.id = c.supplier_id
     WHERE c.store_hash = :store_hash AND c.email = ANY(CAST(:emails AS text[]))) found
 ORDER BY created_at DESC LIMIT 2000;

-- outside_by_template --
-- Records that wait for a document made from one of these templates.
SELECT DISTINCT q.record_kind AS kind, q.record_id AS id, t.template ->> 'uuid' AS template
  FROM requests q
  JOIN agreement_texts t ON t.store_hash = q.store_hash AND t.agreement_id = q.agreement_id
                        AND t.version = q.agreement_version AND t.template ->> 'uuid' = ANY(CAST(:templates AS text[]))
 WHERE q.store_hash = :store_hash AND q.purpose = 'customer' AND q.status <> 'completed'
 LIMIT 2000;

-- outside_templates --
-- Those of the templates that agreements of the store are made from.
SELECT DISTINCT t.template ->> 'uuid' AS template FROM agreement_texts t
 WHERE t.store_hash = :store_hash AND t.template ->> 'uuid' = ANY(CAST(:templates AS text[]));

-- outside_requests --
-- The records of requests whose external ids these are.
SELECT q.external_id, q.record_kind AS kind, q.record_id AS id FROM requests q
 WHERE q.store_hash = :store_hash AND q.external_id = ANY(CAST(:external_ids AS text[]));

-- outside_records --
-- The records themselves. waits: held, or a signature is open.
SELECT r.kind, r.id, r.created_at,
       EXISTS (SELECT FROM holds h WHERE h.store_hash = r.store_hash AND h.record_kind = r.kind AND h.record_id = r.id
                  AND h.state IN ('holding', 'held', 'kept', 'joined'))
       OR EXISTS (SELECT FROM requests q WHERE q.store_hash = r.store_hash AND q.record_kind = r.kind
                     AND q.record_id = r.id AND q.wanted = 'open'
                     AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')) AS waits
  FROM records r
 WHERE r.store_hash = :store_hash AND r.gone_since IS NULL
   AND (r.kind, r.id) IN (SELECT m.kind, m.id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id));

-- keep_suggestions --
-- One that was decided on stays as it was decided.
WITH added AS (
    INSERT INTO outside_documents (store_hash, account_id, document, record_kind, record_id, reasons, name, signers,
                                   signed_at, found_at)
    SELECT :store_hash, :account_id, s.document, s.kind, s.id, s.reasons, s.name, s.signers, s.signed_at, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s(document uuid, kind text, id text, reasons text[], name text,
                                                         signers jsonb, signed_at timestamptz)
    ON CONFLICT (store_hash, document, record_kind, record_id) DO NOTHING
    RETURNING 1)
SELECT count(*) FROM added;

-- drop_suggestions --
-- What was suggested before and is not any more: of documents that were read again, or that nobody decided on in time.
DELETE FROM outside_documents d
 WHERE d.store_hash = :store_hash AND d.account_id = :account_id AND d.state = 'suggested'
   AND (d.found_at < :before
        OR d.document = ANY(CAST(:seen AS uuid[]))
           AND NOT EXISTS (SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS s(document uuid, kind text, id text)
                            WHERE s.document = d.document AND s.kind = d.record_kind AND s.id = d.record_id));

-- outside_unkept --
-- Linked documents whose PDF is not kept yet.
SELECT id, account_id, CAST(document AS text) AS document, record_kind, record_id FROM outside_documents
 WHERE store_hash = :store_hash AND state = 'linked' AND signed_sha256 IS NULL AND NOT gone ORDER BY id LIMIT 100;

-- keep_outside --
UPDATE outside_documents SET signed_sha256 = :signed_sha256, log_sha256 = :log_sha256, verified = :verified, kept_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state = 'linked' AND signed_sha256 IS NULL RETURNING id;

-- miss_outside --
UPDATE outside_documents SET gone = true WHERE store_hash = :store_hash AND id = :id AND state = 'linked';

-- outside_of_record --
-- Suggested and linked documents of a record, the linked ones first.
SELECT id, account_id, CAST(document AS text) AS document, record_kind, record_id, reasons, name, signers, signed_at,
       state, found_at, decided_at, decided_by, signed_sha256, log_sha256, verified, kept_at, gone
  FROM outside_documents
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND state <> 'dismissed'
 ORDER BY state = 'linked' DESC, signed_at DESC NULLS LAST, id DESC LIMIT 20;

-- fetch_outside --
SELECT id, account_id, CAST(document AS text) AS document, record_kind, record_id, reasons, name, signers, signed_at,
       state, found_at, decided_at, decided_by, signed_sha256, log_sha256, verified, kept_at, gone
  FROM outside_documents WHERE store_hash = :store_hash AND id = :id;

-- list_outside --
-- Suggestions that nobody decided on, the newest signature first.
SELECT d.id, d.record_kind, d.record_id, d.reasons, d.name, d.signers, d.signed_at, d.found_at, r.label
  FROM outside_documents d
  JOIN records r ON r.store_hash = d.store_hash AND r.kind = d.record_kind AND r.id = d.record_id
 WHERE d.store_hash = :store_hash AND d.state = 'suggested'
 ORDER BY d.signed_at DESC NULLS LAST, d.document, d.id LIMIT :most;

-- settle_outside --
-- The task that asks somebody to look, once nothing is left to decide on.
UPDATE tasks SET done_at = :now
 WHERE store_hash = :store_hash AND kind = :kind AND done_at IS NULL
   AND NOT EXISTS (SELECT FROM outside_documents d WHERE d.store_hash = :store_hash AND d.state = 'suggested');

-- link_outside --
UPDATE outside_documents SET state = 'linked', decided_at = :now, decided_by = :author
 WHERE store_hash = :store_hash AND id = :id AND state = 'suggested' RETURNING id;

-- drop_other_suggestions --
-- A document that was linked to one record is not suggested for another.
DELETE FROM outside_documents
 WHERE store_hash = :store_hash AND document = CAST(:document AS uuid) AND state = 'suggested' AND id <> :id;

-- dismiss_outside --
-- Kept as one that must not be suggested again, with nothing of its content.
UPDATE outside_documents SET state = 'dismissed', name = '', signers = '[]', decided_at = :now, decided_by = :author
 WHERE store_hash = :store_hash AND id = :id AND state = CAST(:was AS text) RETURNING id;
