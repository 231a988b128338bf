-- The sign-once ledger: who accepted what, who need not, what came from elsewhere, and who is asked anew.

-- acceptances_of_parties --
SELECT id, party_kind, party_id, agreement_id, agreement_version, scope, scope_id, valid_from, valid_until, request_id,
       import_id, recorded_at, revoked_at
  FROM acceptances
 WHERE store_hash = :store_hash AND agreement_id = ANY(:agreements)
   AND (party_kind, party_id) IN (SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])));

-- exemptions_of_parties --
SELECT id, party_kind, party_id, agreement_id, valid_from, until, why, ended_at
  FROM exemptions
 WHERE store_hash = :store_hash AND (agreement_id = 0 OR agreement_id = ANY(:agreements))
   AND (party_kind, party_id) IN (SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])));

-- versions_of_agreements --
-- When a version binds: at once, or after the grace of its campaign.
SELECT v.agreement_id, v.version, v.material, v.created_at, COALESCE(c.grace_until, v.created_at) AS binds_from
  FROM agreement_versions v
  LEFT JOIN campaigns c ON c.store_hash = v.store_hash AND c.agreement_id = v.agreement_id AND c.version = v.version
 WHERE v.store_hash = :store_hash AND v.agreement_id = ANY(:agreements);

-- asked_of_parties --
-- Agreements that the party is asked to sign right now, on other records than this one.
SELECT DISTINCT agreement_id FROM requests
 WHERE store_hash = :store_hash AND counts IS NOT NULL AND agreement_id = ANY(:agreements) AND NOT simulated
   AND (counts ->> 'party_id') = ANY(CAST(:ids AS text[]))
   AND ((counts ->> 'party_kind'), (counts ->> 'party_id')) IN
       (SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])))
   AND wanted = 'open' AND status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')
   AND (record_kind <> :record_kind OR record_id <> :record_id);

-- covers_of_record --
SELECT rule_id, acceptance_id, exemption_id, sentence, named_at FROM covers
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id ORDER BY rule_id;

-- clear_covers --
DELETE FROM covers
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND rule_id = ANY(:rules);

-- add_cover --
INSERT INTO covers (store_hash, record_kind, record_id, rule_id, acceptance_id, exemption_id, sentence, named_at)
VALUES (:store_hash, :record_kind, :record_id, :rule_id, :acceptance_id, :exemption_id, :sentence, :now);

-- add_acceptance --
-- The same signature twice is one; nothing comes back then.
INSERT INTO acceptances (store_hash, party_kind, party_id, label, agreement_id, agreement_version, scope, scope_id,
                         valid_from, valid_until, request_id, import_id, document_sha256, recorded_at)
VALUES (:store_hash, :party_kind, :party_id, :label, :agreement_id, :agreement_version, :scope, :scope_id,
        :valid_from, :valid_until, :request_id, :import_id, :document_sha256, :now)
ON CONFLICT (store_hash, party_kind, party_id, agreement_id, agreement_version, scope, scope_id, valid_from) DO NOTHING
RETURNING id;

-- add_acceptance_document --
-- A PDF that comes later joins the signature that was brought in without one.
UPDATE acceptances SET document_sha256 = :document_sha256
 WHERE store_hash = :store_hash AND party_kind = :party_kind AND party_id = :party_id AND agreement_id = :agreement_id
   AND agreement_version = :agreement_version AND scope = :scope AND scope_id = :scope_id AND valid_from = :valid_from
   AND import_id IS NOT NULL AND document_sha256 IS NULL
RETURNING id;

-- text_changed --
-- Whether the party's own text changed after the one of this request was set, so that what is signed is not it any more:
-- another was put in its place (not by who lets the earlier signature count), or it was taken away.
SELECT EXISTS (SELECT FROM agreement_bindings b
                WHERE b.store_hash = q.store_hash AND b.agreement_id = q.agreement_id AND b.asks_again
                  AND b.id > COALESCE(q.binding_id, 0) AND b.created_at > q.created_at
                  AND ((b.party_kind = :party_kind AND b.party_id = :party_id)
                       OR (o.id IS NOT NULL AND b.party_kind = o.party_kind AND b.party_id = o.party_id)))
       OR (o.ended_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM agreement_bindings b
                            WHERE b.store_hash = q.store_hash AND b.agreement_id = q.agreement_id AND b.ended_at IS NULL
                              AND b.party_kind = o.party_kind AND b.party_id = o.party_id)) AS changed
  FROM requests q LEFT JOIN agreement_bindings o ON o.store_hash = q.store_hash AND o.id = q.binding_id
 WHERE q.store_hash = :store_hash AND q.id = :id;

-- known_acceptance --
SELECT id, document_sha256 FROM acceptances
 WHERE store_hash = :store_hash AND party_kind = :party_kind AND party_id = :party_id AND agreement_id = :agreement_id
   AND agreement_version = :agreement_version AND scope = :scope AND scope_id = :scope_id AND valid_from = :valid_from;

-- records_waiting_for_party --
-- Records that wait for the same party's signature under the same agreement: one signature may be enough for all.
SELECT DISTINCT record_kind, record_id FROM requests
 WHERE store_hash = :store_hash AND counts IS NOT NULL AND agreement_id = :agreement_id
   AND (counts ->> 'party_kind') = :party_kind AND (counts ->> 'party_id') = :party_id
   AND wanted = 'open' AND status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed');

-- panel_acceptances --
SELECT a.id, a.party_kind, a.party_id, a.label, a.agreement_id, g.name AS agreement, a.agreement_version, a.scope,
       a.scope_id, a.valid_from, a.valid_until, a.request_id, a.import_id, a.recorded_at, a.revoked_at,
       count(*) OVER () AS total
  FROM acceptances a LEFT JOIN agreements g ON g.store_hash = a.store_hash AND g.id = a.agreement_id
 WHERE a.store_hash = :store_hash
   AND (CAST(:q AS text) = '' OR (CAST(:personal AS boolean) AND a.label ILIKE :pattern) OR a.party_id = :q
        OR g.name ILIKE :pattern)
   AND (CAST(:agreement AS bigint) = 0 OR a.agreement_id = :agreement)
   AND CASE CAST(:state AS text)
         WHEN 'counting' THEN a.revoked_at IS NULL AND (a.valid_until IS NULL OR a.valid_until > :now)
         WHEN 'ended' THEN a.revoked_at IS NULL AND a.valid_until <= :now
         WHEN 'revoked' THEN a.revoked_at IS NOT NULL
         WHEN 'imported' THEN a.import_id IS NOT NULL
         ELSE true END
 ORDER BY a.recorded_at DESC, a.id DESC
 LIMIT :most OFFSET :skip;

-- panel_acceptance --
SELECT a.id, a.party_kind, a.party_id, a.label, a.agreement_id, g.name AS agreement, a.agreement_version, a.scope,
       a.scope_id, a.valid_from, a.valid_until, a.request_id, a.import_id, a.document_sha256, a.recorded_at,
       a.revoked_at, a.revoked_by, a.revoked_why, i.author AS imported_by, i.created_at AS imported_at,
       i.file_name AS imported_from, q.record_id AS signed_on, q.record_kind AS signed_kind
  FROM acceptances a
  LEFT JOIN agreements g ON g.store_hash = a.store_hash AND g.id = a.agreement_id
  LEFT JOIN imports i ON i.store_hash = a.store_hash AND i.id = a.import_id
  LEFT JOIN requests q ON q.store_hash = a.store_hash AND q.id = a.request_id
 WHERE a.store_hash = :store_hash AND a.id = :id;

-- records_covered --
SELECT c.record_kind, c.record_id, c.named_at, r.label FROM covers c
  JOIN records r ON r.store_hash = c.store_hash AND r.kind = c.record_kind AND r.id = c.record_id
 WHERE c.store_hash = :store_hash AND c.acceptance_id = :id ORDER BY c.named_at DESC LIMIT 100;

-- revoke_acceptance --
UPDATE acceptances SET revoked_at = :now, revoked_by = :author, revoked_why = :why
 WHERE store_hash = :store_hash AND id = :id AND revoked_at IS NULL RETURNING id;

-- erase_party_labels --
-- Who it was is forgotten; that and when something was accepted stays.
UPDATE acceptances SET label = '' WHERE store_hash = :store_hash AND party_kind = :party_kind AND party_id = :party_id;

-- erase_exemption_labels --
UPDATE exemptions SET label = '' WHERE store_hash = :store_hash AND party_kind = :party_kind AND party_id = :party_id;

-- panel_exemptions --
SELECT e.id, e.party_kind, e.party_id, e.label, e.agreement_id, g.name AS agreement, e.valid_from, e.until, e.why,
       e.author, e.ended_at, e.ended_by, e.ended_why,
       EXISTS (SELECT FROM records r WHERE r.store_hash = e.store_hash AND r.kind = e.party_kind AND r.id = e.party_id
                  AND r.gone_since IS NOT NULL) AS not_found
  FROM exemptions e LEFT JOIN agreements g ON g.store_hash = e.store_hash AND g.id = e.agreement_id
 WHERE e.store_hash = :store_hash ORDER BY (e.ended_at IS NULL AND e.until > :now) DESC, e.id DESC LIMIT 200;

-- add_exemption --
INSERT INTO exemptions (store_hash, party_kind, party_id, label, agreement_id, valid_from, until, why, author)
VALUES (:store_hash, :party_kind, :party_id, :label, :agreement_id, :now, :until, :why, :author) RETURNING id;

-- end_exemption --
UPDATE exemptions SET ended_at = :now, ended_by = :author, ended_why = :why
 WHERE store_hash = :store_hash AND id = :id AND ended_at IS NULL AND until > :now RETURNING id;

-- waiting_customer_requests --
-- Records that wait for a customer's signature which counts: an exemption or an import may end the wait.
SELECT DISTINCT record_kind, record_id FROM requests
 WHERE store_hash = :store_hash AND counts IS NOT NULL
   AND (counts ->> 'party_kind') = :party_kind AND (counts ->> 'party_id') = :party_id
   AND wanted = 'open' AND status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed');

-- add_import --
INSERT INTO imports (store_hash, file_name, state, files, author, created_at)
VALUES (:store_hash, :file_name, 'checking', CAST(:files AS jsonb), :author, :now) RETURNING id;

-- add_import_rows --
INSERT INTO import_rows (store_hash, import_id, line, given)
SELECT :store_hash, :import_id, r.line, r.given
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(line integer, given jsonb);

-- fetch_import --
SELECT id, file_name, state, files, author, created_at, applied_at FROM imports WHERE store_hash = :store_hash AND id = :id;

-- list_imports --
SELECT i.id, i.file_name, i.state, i.author, i.created_at, i.applied_at,
       (SELECT count(*) FROM acceptances a WHERE a.store_hash = i.store_hash AND a.import_id = i.id) AS kept
  FROM imports i WHERE i.store_hash = :store_hash ORDER BY i.id DESC LIMIT 50;

-- import_kept --
SELECT count(*) FROM acceptances WHERE store_hash = :store_hash AND import_id = :id;

-- import_counts --
SELECT state, count(*) AS count FROM import_rows WHERE store_hash = :store_hash AND import_id = :import_id GROUP BY state;

-- import_rows_page --
SELECT line, given, state, sentence FROM import_rows
 WHERE store_hash = :store_hash AND import_id = :import_id AND (CAST(:state AS text) = '' OR state = :state)
 ORDER BY line LIMIT :most OFFSET :skip;

-- import_rows_in_state --
-- The next rows of an import that wait for this step; the step moves each on, so that it is also the cursor.
SELECT line, given, found FROM import_rows
 WHERE store_hash = :store_hash AND import_id = :import_id AND state = :state ORDER BY line LIMIT :most;

-- import_rows_matched --
SELECT line, found FROM import_rows WHERE store_hash = :store_hash AND import_id = :import_id AND state = 'match';

-- judge_import_rows --
UPDATE import_rows w SET state = r.state, sentence = r.sentence, found = r.found
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(line integer, state text, sentence text, found jsonb)
 WHERE w.store_hash = :store_hash AND w.import_id = :import_id AND w.line = r.line AND w.state = 'waiting';

-- drop_import_rows --
-- What was applied stands in the ledger; the line itself is not kept.
DELETE FROM import_rows WHERE store_hash = :store_hash AND import_id = :import_id AND line = ANY(:lines);

-- move_import --
UPDATE imports SET state = :state, applied_at = CASE WHEN :state = 'applied' THEN :now ELSE applied_at END
 WHERE store_hash = :store_hash AND id = :id AND state = :was RETURNING id;

-- delete_import --
-- Only one that brought nothing in: what was applied names it.
DELETE FROM imports i WHERE i.store_hash = :store_hash AND i.id = :id AND i.state IN ('checking', 'checked') RETURNING files;

-- abandoned_imports --
-- global: looked at and neither brought in nor discarded, in any store, oldest first.
SELECT store_hash, id FROM imports
 WHERE state IN ('checking', 'checked') AND created_at < :before ORDER BY created_at LIMIT 100;

-- drop_import_files --
-- The PDFs of an import that nothing else points at; hashes: SHA-256 in hex. Everything that keeps a document by its
-- hash stands here. A form that waits for a second manager may name one out of sight: then all of them stay.
DELETE FROM chunks c
 WHERE c.store_hash = :store_hash
   AND c.sha256 IN (SELECT decode(h, 'hex') FROM unnest(CAST(:hashes AS text[])) h)
   AND NOT EXISTS (SELECT 1 FROM pending_changes x WHERE x.store_hash = c.store_hash AND x.state = 'waiting')
   AND NOT EXISTS (SELECT 1 FROM imports x, jsonb_each_text(x.files) f WHERE x.store_hash = c.store_hash
                      AND x.state <> 'applied' AND f.value = encode(c.sha256, 'hex'))
   AND NOT EXISTS (SELECT 1 FROM acceptances x WHERE x.store_hash = c.store_hash AND x.document_sha256 = c.sha256)
   AND NOT EXISTS (SELECT 1 FROM agreement_texts x WHERE x.store_hash = c.store_hash AND x.content = c.sha256)
   AND NOT EXISTS (SELECT 1 FROM agreement_bindings x WHERE x.store_hash = c.store_hash AND x.content = c.sha256)
   AND NOT EXISTS (SELECT 1 FROM requests x WHERE x.store_hash = c.store_hash AND x.document_sha256 = c.sha256)
   AND NOT EXISTS (SELECT 1 FROM evidence x WHERE x.store_hash = c.store_hash AND x.sha256 = c.sha256)
   AND NOT EXISTS (SELECT 1 FROM paper_forms x WHERE x.store_hash = c.store_hash AND x.content = c.sha256)
   AND NOT EXISTS (SELECT 1 FROM outside_documents x WHERE x.store_hash = c.store_hash
                      AND c.sha256 IN (x.signed_sha256, x.log_sha256));

-- agreements_by_name --
SELECT a.id, a.name, a.version, v.version AS number, v.created_at
  FROM agreements a JOIN agreement_versions v ON v.store_hash = a.store_hash AND v.agreement_id = a.id
 WHERE a.store_hash = :store_hash ORDER BY a.archived, a.id, v.version;

-- affected_parties --
-- Who signed an older version and still counts, with the last order known of each, and whether the new one is signed.
SELECT DISTINCT ON (a.party_kind, a.party_id) a.party_kind, a.party_id, a.label, a.scope, a.scope_id,
       COALESCE(o.record_id, '') AS record_id, COALESCE(o.record_kind, 'order') AS record_kind, p.asked_at,
       EXISTS (SELECT FROM records r WHERE r.store_hash = a.store_hash AND r.kind = o.record_kind AND r.id = o.record_id
                  AND r.gone_since IS NOT NULL) AS gone,
       EXISTS (SELECT FROM acceptances n
                WHERE n.store_hash = a.store_hash AND n.party_kind = a.party_kind AND n.party_id = a.party_id
                  AND n.agreement_id = a.agreement_id AND n.agreement_version >= :version AND n.revoked_at IS NULL) AS signed,
       EXISTS (SELECT FROM requests w
                WHERE w.store_hash = a.store_hash AND w.counts IS NOT NULL AND w.agreement_id = a.agreement_id
                  AND w.agreement_version >= :version AND NOT w.simulated
                  AND (w.counts ->> 'party_kind') = a.party_kind AND (w.counts ->> 'party_id') = a.party_id
                  AND w.wanted = 'open' AND w.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')) AS waiting,
       EXISTS (SELECT FROM requests w
                WHERE w.store_hash = a.store_hash AND w.counts IS NOT NULL
                  AND (w.counts ->> 'campaign_id') = CAST(CAST(:campaign_id AS bigint) AS text)
                  AND (w.counts ->> 'party_kind') = a.party_kind AND (w.counts ->> 'party_id') = a.party_id) AS was_asked
  FROM acceptances a
  LEFT JOIN campaign_parties p ON p.store_hash = a.store_hash AND p.campaign_id = :campaign_id
                              AND p.party_kind = a.party_kind AND p.party_id = a.party_id
  LEFT JOIN LATERAL (
       SELECT record_kind, record_id FROM (
              SELECT q.record_kind, q.record_id, q.created_at AS at FROM requests q
               WHERE q.store_hash = a.store_hash AND q.id = a.request_id AND q.record_kind IN ('order', 'customer', 'company')
              UNION ALL
              SELECT c.record_kind, c.record_id, c.named_at FROM covers c
               WHERE c.store_hash = a.store_hash AND c.acceptance_id = a.id AND c.record_kind = 'order') seen
       ORDER BY record_kind = 'order', at DESC LIMIT 1) o ON true
 WHERE a.store_hash = :store_hash AND a.agreement_id = :agreement_id AND a.agreement_version < :version
   AND a.scope IN ('customer', 'company', 'channel') AND a.revoked_at IS NULL
   AND (a.valid_until IS NULL OR a.valid_until > :now)
 ORDER BY a.party_kind, a.party_id, (o.record_id IS NULL), a.valid_from DESC;

-- add_campaign --
INSERT INTO campaigns (store_hash, agreement_id, version, account_id, per_hour, grace_until, author, started_at)
VALUES (:store_hash, :agreement_id, :version, :account_id, :per_hour, :grace_until, :author, :now)
ON CONFLICT (store_hash, agreement_id, version) DO NOTHING RETURNING id;

-- fetch_campaign --
SELECT c.id, c.agreement_id, c.version, c.account_id, c.per_hour, c.grace_until, c.state, c.author, c.started_at,
       c.ended_at, g.name AS agreement
  FROM campaigns c JOIN agreements g ON g.store_hash = c.store_hash AND g.id = c.agreement_id
 WHERE c.store_hash = :store_hash AND c.id = :id;

-- list_campaigns --
SELECT c.id, c.agreement_id, c.version, c.grace_until, c.state, c.started_at, g.name AS agreement
  FROM campaigns c JOIN agreements g ON g.store_hash = c.store_hash AND g.id = c.agreement_id
 WHERE c.store_hash = :store_hash ORDER BY c.id DESC LIMIT 50;

-- move_campaign --
UPDATE campaigns SET state = :state, ended_at = CASE WHEN :state = 'running' THEN NULL ELSE CAST(:now AS timestamptz) END
 WHERE store_hash = :store_hash AND id = :id AND state = :was RETURNING id;

-- add_campaign_party --
INSERT INTO campaign_parties (store_hash, campaign_id, party_kind, party_id, record_id, asked_at)
VALUES (:store_hash, :campaign_id, :party_kind, :party_id, :record_id, :now)
ON CONFLICT DO NOTHING RETURNING asked_at;

-- campaigns_possible --
-- Newest versions that are material and have no campaign yet, with how many parties signed an older one only.
SELECT g.id, g.name, g.version,
       (SELECT count(DISTINCT (a.party_kind, a.party_id)) FROM acceptances a
         WHERE a.store_hash = g.store_hash AND a.agreement_id = g.id AND a.agreement_version < m.version
           AND a.scope IN ('customer', 'company', 'channel') AND a.revoked_at IS NULL
           AND (a.valid_until IS NULL OR a.valid_until > :now)
           AND NOT EXISTS (SELECT FROM acceptances n
                            WHERE n.store_hash = a.store_hash AND n.party_kind = a.party_kind AND n.party_id = a.party_id
                              AND n.agreement_id = a.agreement_id AND n.agreement_version >= m.version
                              AND n.revoked_at IS NULL)) AS affected,
       m.version AS material_version
  FROM agreements g
  JOIN LATERAL (SELECT max(v.version) AS version FROM agreement_versions v
                 WHERE v.store_hash = g.store_hash AND v.agreement_id = g.id AND v.material AND v.version > 1) m ON m.version IS NOT NULL
 WHERE g.store_hash = :store_hash AND NOT g.archived
   AND NOT EXISTS (SELECT FROM campaigns c WHERE c.store_hash = g.store_hash AND c.agreement_id = g.id AND c.version >= m.version)
 ORDER BY lower(g.name);

-- account_of_agreement --
-- The signature account that a rule asks for this agreement with, else the store's first.
SELECT COALESCE(
    (SELECT CAST(v.definition ->> 'account_id' AS bigint) FROM rules r
       JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
      WHERE r.store_hash = :store_hash AND NOT r.archived AND CAST(v.definition ->> 'agreement_id' AS bigint) = :agreement_id
      ORDER BY (r.mode = 'live') DESC, r.id LIMIT 1),
    (SELECT min(a.id) FROM signature_accounts a WHERE a.store_hash = :store_hash)) AS account_id;

-- once_of_agreement --
-- How the rules that ask for this agreement let a signature count.
SELECT v.definition -> 'sign_once' AS sign_once FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND NOT r.archived AND CAST(v.definition ->> 'agreement_id' AS bigint) = :agreement_id
   AND COALESCE(v.definition -> 'sign_once' ->> 'scope', '') <> ''
 ORDER BY (r.mode = 'live') DESC, r.id LIMIT 1;
