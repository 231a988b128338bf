-- The store's own settings, its hooks, and what stands before an uninstall.

-- panel_lock_settings --
SELECT settings, settings_version FROM stores WHERE store_hash = :store_hash FOR UPDATE;

-- panel_save_settings --
UPDATE stores SET settings = settings || CAST(:settings AS jsonb), settings_version = settings_version + 1
 WHERE store_hash = :store_hash AND settings_version = :version
RETURNING settings_version;

-- panel_holds_matter --
-- Whether anything depends on how orders are held: a live rule, or an order that is held now.
SELECT EXISTS (SELECT FROM rules r WHERE r.store_hash = :store_hash AND r.mode = 'live' AND NOT r.archived)
    OR EXISTS (SELECT FROM holds h WHERE h.store_hash = :store_hash AND h.state IN ('holding', 'held', 'releasing', 'kept'));

-- look_after_test_mode --
-- "Look at this" again, of every record that test mode kept waiting: asked as a simulation, or held meanwhile. One
-- after the other rather than all at once; the tick of the workers picks them up.
INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, received_at, due_at)
SELECT w.store_hash, 'self:' || w.kind || ':' || w.id, 'self', 'look', w.kind, w.id, :now,
       CAST(:now AS timestamptz) + w.place * interval '250 milliseconds'
  FROM (SELECT r.store_hash, r.kind, r.id, row_number() OVER (ORDER BY r.created_at, r.id) AS place
          FROM records r
         WHERE r.store_hash = :store_hash
           AND (EXISTS (SELECT FROM requests q WHERE q.store_hash = r.store_hash AND q.record_kind = r.kind
                           AND q.record_id = r.id AND q.simulated)
                OR EXISTS (SELECT FROM holds h WHERE h.store_hash = r.store_hash AND h.record_kind = r.kind
                              AND h.record_id = r.id AND h.state IN ('holding', 'held', 'releasing', 'joined', 'kept')))) w
ON CONFLICT (store_hash, key) DO UPDATE
   SET seen = deliveries.seen + 1, done_at = NULL, parked_why = NULL, attempt = 0, due_at = excluded.due_at;

-- panel_list_hooks --
SELECT id, scope, is_active, checked_at FROM hooks WHERE store_hash = :store_hash ORDER BY scope, id;

-- panel_held_records --
-- Records that would stay held when the app goes. asked: a person's word that the worker has not carried out yet.
-- kept_by: the user who said that this one stays as it is.
SELECT h.record_kind, h.record_id, h.state, h.method, h.wanted_at, r.label, r.amount, r.currency,
       EXISTS (SELECT FROM deliveries d WHERE d.store_hash = h.store_hash AND d.record_kind = h.record_kind
                  AND d.record_id = h.record_id AND d.source = 'panel' AND d.done_at IS NULL) AS asked,
       h.kept_by, h.kept_at
  FROM holds h JOIN records r ON r.store_hash = h.store_hash AND r.kind = h.record_kind AND r.id = h.record_id
 WHERE h.store_hash = :store_hash AND h.state IN ('holding', 'held', 'releasing', 'kept')
   AND h.record_kind <> 'case'  -- it holds nothing in the store, and letting it go would pay money out
 ORDER BY h.wanted_at, h.record_id LIMIT :most;

-- panel_keep_held --
-- It stays held when the app goes, says this user. Nothing comes back when it is not held, or was decided before.
UPDATE holds SET kept_by = :user_id, kept_at = :now
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND state IN ('holding', 'held', 'kept') AND kept_by IS NULL
RETURNING record_id;

-- panel_data_of_store --
SELECT (SELECT count(*) FROM records r WHERE r.store_hash = :store_hash) AS records,
       (SELECT count(*) FROM requests q WHERE q.store_hash = :store_hash) AS requests,
       (SELECT count(*) FROM people p WHERE p.store_hash = :store_hash) AS people,
       (SELECT count(*) FROM evidence e WHERE e.store_hash = :store_hash) AS documents,
       (SELECT COALESCE(sum(e.size_bytes), 0) FROM evidence e WHERE e.store_hash = :store_hash) AS document_bytes,
       (SELECT count(*) FROM audit_log l WHERE l.store_hash = :store_hash) AS audit_lines,
       (SELECT count(*) FROM audit_chain c WHERE c.store_hash = :store_hash) AS sealed_lines;
