-- add_audit_line --
-- Unchained; the worker seals it.
INSERT INTO audit_log (store_hash, happened_at, actor, event, record_kind, record_id, request_id, detail)
VALUES (:store_hash, :now, :actor, :event, :record_kind, :record_id, :request_id, CAST(:detail AS jsonb));

-- audit_links_after --
-- Links with the lines that they seal; a line that was removed comes back as nulls.
SELECT c.position, c.audit_id, c.row_sha256, c.chain_hash,
       a.id, a.happened_at, a.actor, a.event, a.record_kind, a.record_id, a.request_id, a.detail
  FROM audit_chain c LEFT JOIN audit_log a ON a.store_hash = c.store_hash AND a.id = c.audit_id
 WHERE c.store_hash = :store_hash AND c.position > :after
 ORDER BY c.position LIMIT :most;

-- count_unsealed_lines --
SELECT count(*) FROM audit_log a
 WHERE a.store_hash = :store_hash
   AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.store_hash = a.store_hash AND c.audit_id = a.id);
