-- add_audit_line --
-- Unchained; the worker seals it.
INSERT INTO audit_log (store_hash, happened_at, actor, event, record_kind, record_id, request_id, detail)
VALUES (:store_hash, :now, :actor, :event, :record_kind, :record_id, :request_id, CAST(:detail AS jsonb));
