-- Agreements as the panel reads and writes them. Every save is a version.

-- panel_agreements --
SELECT a.id, a.name, a.version, a.archived, a.created_at, v.source, v.material, v.created_at AS changed_at,
       (SELECT t.title FROM agreement_texts t WHERE t.store_hash = a.store_hash AND t.agreement_id = a.id
           AND t.version = a.version AND t.language = v.language) AS title,
       ARRAY(SELECT t.language FROM agreement_texts t WHERE t.store_hash = a.store_hash AND t.agreement_id = a.id
                AND t.version = a.version ORDER BY t.language <> v.language, t.language) AS languages,
       (SELECT count(*) FROM agreement_bindings b WHERE b.store_hash = a.store_hash AND b.agreement_id = a.id
           AND b.ended_at IS NULL) AS bindings,
       (SELECT count(*) FROM requests q WHERE q.store_hash = a.store_hash AND q.agreement_id = a.id) AS requests,
       ARRAY(SELECT r.name FROM rules r JOIN rule_versions rv
               ON rv.store_hash = r.store_hash AND rv.rule_id = r.id AND rv.version = r.version
              WHERE r.store_hash = a.store_hash AND NOT r.archived AND (rv.definition ->> 'agreement_id') = CAST(a.id AS text)
                AND (rv.definition ->> 'customer') = 'true' ORDER BY r.position, r.id) AS rules
  FROM agreements a
  JOIN agreement_versions v ON v.store_hash = a.store_hash AND v.agreement_id = a.id AND v.version = a.version
 WHERE a.store_hash = :store_hash AND a.archived = :archived
 ORDER BY lower(a.name), a.id;

-- panel_agreement --
SELECT a.id, a.name, a.version, a.archived, v.created_at AS changed_at,
       ARRAY(SELECT r.name FROM rules r JOIN rule_versions rv
               ON rv.store_hash = r.store_hash AND rv.rule_id = r.id AND rv.version = r.version
              WHERE r.store_hash = a.store_hash AND NOT r.archived AND r.mode <> 'off'
                AND (rv.definition ->> 'agreement_id') = CAST(a.id AS text)
                AND (rv.definition ->> 'customer') = 'true' ORDER BY r.position, r.id) AS rules,
       EXISTS (SELECT FROM rules r JOIN rule_versions rv
                 ON rv.store_hash = r.store_hash AND rv.rule_id = r.id AND rv.version = r.version
                WHERE r.store_hash = a.store_hash AND NOT r.archived AND r.mode = 'live'
                  AND (rv.definition ->> 'agreement_id') = CAST(a.id AS text)
                  AND (rv.definition ->> 'customer') = 'true') AS is_live
  FROM agreements a
  JOIN agreement_versions v ON v.store_hash = a.store_hash AND v.agreement_id = a.id AND v.version = a.version
 WHERE a.store_hash = :store_hash AND a.id = :id;

-- agreement_in_use --
-- Locked until the transaction ends, so that it is not archived meanwhile; no row for an archived one.
SELECT id FROM agreements WHERE store_hash = :store_hash AND id = :id AND NOT archived FOR NO KEY UPDATE;

-- agreement_version --
-- One version in each of its languages, the default one first.
SELECT v.version, v.source, v.material, v.language AS main, v.author, v.created_at,
       t.language, t.title, t.body, t.content, t.found, t.template
  FROM agreement_versions v
  JOIN agreement_texts t ON t.store_hash = v.store_hash AND t.agreement_id = v.agreement_id AND t.version = v.version
 WHERE v.store_hash = :store_hash AND v.agreement_id = :agreement_id AND v.version = :version
 ORDER BY t.language <> v.language, t.language;

-- agreement_versions --
-- The newest 100 versions in their languages, newest first.
SELECT v.version, v.source, v.material, v.language AS main, v.author, v.created_at,
       t.language, t.title, t.body, t.content, t.found, t.template
  FROM (SELECT * FROM agreement_versions
         WHERE store_hash = :store_hash AND agreement_id = :agreement_id ORDER BY version DESC LIMIT 100) v
  JOIN agreement_texts t ON t.store_hash = v.store_hash AND t.agreement_id = v.agreement_id AND t.version = v.version
 ORDER BY v.version DESC, t.language <> v.language, t.language;

-- languages_asked --
-- Languages of the last 90 days' requests in which the agreement's newest version has no text.
SELECT q.language, count(*) AS requests
  FROM requests q
 WHERE q.store_hash = :store_hash AND q.agreement_id = :agreement_id AND q.purpose = 'customer' AND q.created_at > :since
 GROUP BY q.language ORDER BY count(*) DESC, q.language LIMIT 50;

-- newest_past --
-- The newest stored records of a kind, for the field check.
SELECT id, label, facts FROM past_records
 WHERE store_hash = :store_hash AND kind = :kind ORDER BY created_at DESC, id DESC LIMIT :most;

-- panel_agreement_names --
SELECT id, name, version, archived FROM agreements WHERE store_hash = :store_hash ORDER BY lower(name), id;

-- add_agreement --
INSERT INTO agreements (store_hash, name, version, created_at) VALUES (:store_hash, :name, 1, :now) RETURNING id;

-- add_agreement_version --
INSERT INTO agreement_versions (store_hash, agreement_id, version, source, material, language, author, created_at)
VALUES (:store_hash, :agreement_id, :version, :source, :material, :language, :author, :now);

-- add_agreement_text --
INSERT INTO agreement_texts (store_hash, agreement_id, version, language, title, body, content, found, template)
VALUES (:store_hash, :agreement_id, :version, :language, :title, :body, :content, CAST(:found AS jsonb),
        CAST(:template AS jsonb));

-- raise_agreement_version --
-- The agreement as it was read: nothing comes back when somebody else saved it meanwhile.
UPDATE agreements SET version = version + 1, name = :name
 WHERE store_hash = :store_hash AND id = :id AND version = :version AND NOT archived
RETURNING version;

-- archive_agreement --
UPDATE agreements SET archived = :archived WHERE store_hash = :store_hash AND id = :id AND archived <> :archived RETURNING id;

-- agreement_bindings --
-- What customers and companies sign instead, of one agreement.
SELECT id, agreement_id, party_kind, party_id, label, what, title, body, content, price_list_id, author, created_at,
       EXISTS (SELECT FROM records r WHERE r.store_hash = b.store_hash AND r.kind = b.party_kind AND r.id = b.party_id
                  AND r.gone_since IS NOT NULL) AS not_found
  FROM agreement_bindings b
 WHERE store_hash = :store_hash AND agreement_id = :agreement_id AND ended_at IS NULL
 ORDER BY party_kind DESC, lower(label), party_id;

-- bindings_of_parties --
-- What this customer and this company sign instead, of every agreement.
SELECT id, agreement_id, party_kind, party_id, label, what, title, body, content, price_list_id, author, created_at
  FROM agreement_bindings
 WHERE store_hash = :store_hash AND ended_at IS NULL
   AND ((party_kind = 'customer' AND party_id = :customer_id) OR (party_kind = 'company' AND party_id = :company_id));

-- fetch_binding --
SELECT id, agreement_id, party_kind, party_id, label, what, title, body, content, price_list_id, author, created_at
  FROM agreement_bindings WHERE store_hash = :store_hash AND id = :id;

-- end_binding --
UPDATE agreement_bindings SET ended_at = :now
 WHERE store_hash = :store_hash AND agreement_id = :agreement_id AND party_kind = :party_kind AND party_id = :party_id
   AND ended_at IS NULL
RETURNING id;

-- add_binding --
INSERT INTO agreement_bindings (store_hash, agreement_id, party_kind, party_id, label, what, title, body, content,
                                price_list_id, asks_again, author, created_at)
VALUES (:store_hash, :agreement_id, :party_kind, :party_id, :label, :what, :title, :body, :content, :price_list_id,
        :asks_again, :author, :now)
RETURNING id;

-- revoke_for_binding --
-- The party signs another text from now on: what they accepted counts for no later record.
UPDATE acceptances SET revoked_at = :now, revoked_by = :author, revoked_why = :why
 WHERE store_hash = :store_hash AND agreement_id = :agreement_id AND party_kind = :party_kind AND party_id = :party_id
   AND revoked_at IS NULL;
