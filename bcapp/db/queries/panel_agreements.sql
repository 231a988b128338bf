-- Agreements as the panel reads and writes them. Every save is a version.

-- panel_agreements --
SELECT a.id, a.name, a.version, a.archived, a.created_at, v.source, v.title, v.created_at AS changed_at,
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
SELECT a.id, a.name, a.version, a.archived, v.source, v.title, v.body, v.content, v.template, v.author,
       v.created_at AS changed_at,
       ARRAY(SELECT r.name FROM rules r JOIN rule_versions rv
               ON rv.store_hash = r.store_hash AND rv.rule_id = r.id AND rv.version = r.version
              WHERE r.store_hash = a.store_hash AND NOT r.archived AND r.mode <> 'off'
                AND (rv.definition ->> 'agreement_id') = CAST(a.id AS text)
                AND (rv.definition ->> 'customer') = 'true' ORDER BY r.position, r.id) AS rules
  FROM agreements a
  JOIN agreement_versions v ON v.store_hash = a.store_hash AND v.agreement_id = a.id AND v.version = a.version
 WHERE a.store_hash = :store_hash AND a.id = :id;

-- panel_agreement_versions --
SELECT version, source, title, body, content, template, author, created_at FROM agreement_versions
 WHERE store_hash = :store_hash AND agreement_id = :agreement_id ORDER BY version DESC LIMIT 100;

-- panel_agreement_version --
SELECT v.version, v.source, v.title, v.body, v.content, v.template, a.name FROM agreement_versions v
  JOIN agreements a ON a.store_hash = v.store_hash AND a.id = v.agreement_id
 WHERE v.store_hash = :store_hash AND v.agreement_id = :agreement_id AND v.version = :version;

-- panel_agreement_names --
SELECT id, name, version, archived FROM agreements WHERE store_hash = :store_hash ORDER BY lower(name), id;

-- add_agreement --
INSERT INTO agreements (store_hash, name, version, created_at) VALUES (:store_hash, :name, 1, :now) RETURNING id;

-- add_agreement_version --
INSERT INTO agreement_versions (store_hash, agreement_id, version, source, title, body, content, template, author, created_at)
VALUES (:store_hash, :agreement_id, :version, :source, :title, :body, :content, CAST(:template AS jsonb), :author, :now);

-- raise_agreement_version --
-- The agreement as it was read: nothing comes back when somebody else saved it meanwhile.
UPDATE agreements SET version = version + 1, name = :name
 WHERE store_hash = :store_hash AND id = :id AND version = :version AND NOT archived
RETURNING version;

-- archive_agreement --
UPDATE agreements SET archived = :archived WHERE store_hash = :store_hash AND id = :id AND archived <> :archived RETURNING id;
