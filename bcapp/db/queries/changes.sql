-- count_other_managers --
-- Owners and managers of the store who could decide about a change that this user asks for.
SELECT count(*) FROM users
 WHERE store_hash = :store_hash AND state = 'active' AND role IN ('owner', 'manager') AND id <> :asked_by;

-- may_still_ask --
-- Whether who asked for a change could ask for it today: as a manager, or as an approver who says it of themselves.
SELECT EXISTS (SELECT FROM users WHERE store_hash = :store_hash AND id = :asked_by AND state = 'active'
                  AND (role IN ('owner', 'manager')
                       OR (CAST(:subject AS text) = 'approver' AND CAST(person_id AS text) = :subject_id)));

-- add_change --
-- A change that waits. Its encrypted payload is bound to the id and follows in the same transaction.
INSERT INTO pending_changes (store_hash, subject, subject_id, payload, summary, asked_by, asked_at, applies_at)
VALUES (:store_hash, :subject, :subject_id, '', :summary, :asked_by, :now, :applies_at)
RETURNING id;

-- put_change_payload --
UPDATE pending_changes SET payload = :payload WHERE store_hash = :store_hash AND id = :id;

-- supersede_changes --
-- An older waiting change of the same thing by the same person is taken back: the newest is what they want.
UPDATE pending_changes
   SET state = 'refused', decided_by = :asked_by, decided_at = :now, payload = '',
       summary = CASE WHEN subject IN ('approver', 'limit') THEN '' ELSE summary END
 WHERE store_hash = :store_hash AND subject = :subject AND subject_id = :subject_id AND asked_by = :asked_by
   AND state = 'waiting';

-- lock_change --
-- One change, locked until the transaction ends, so that it is decided once.
SELECT id, subject, subject_id, payload, summary, asked_by, asked_at, applies_at, state, decided_by, decided_at
  FROM pending_changes WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- end_change --
-- Decided; what it carried (it may hold a secret) and who it was about are not needed any more.
UPDATE pending_changes
   SET state = :state, decided_by = :decided_by, decided_at = :now, payload = '',
       summary = CASE WHEN subject IN ('approver', 'limit') THEN '' ELSE summary END
 WHERE store_hash = :store_hash AND id = :id AND state = 'waiting'
RETURNING id;

-- list_changes --
-- Waiting changes of a store, oldest first.
SELECT id, subject, subject_id, summary, asked_by, asked_at, applies_at, state, decided_by, decided_at
  FROM pending_changes WHERE store_hash = :store_hash AND state = 'waiting' ORDER BY asked_at, id;

-- list_due_changes --
-- global: changes of all stores whose 24 hours are over, while their store works.
SELECT c.store_hash, c.id FROM pending_changes c JOIN stores st ON st.store_hash = c.store_hash
 WHERE c.state = 'waiting' AND c.applies_at <= :now AND st.state IN ('active', 'reconsent')
 ORDER BY c.applies_at LIMIT 100;

-- add_notice --
-- A task for people that is also mailed when `alarm`; the same one stands once.
INSERT INTO tasks (store_hash, kind, record_kind, record_id, text, alarm, created_at)
VALUES (:store_hash, :kind, :record_kind, :record_id, :text, :alarm, :now)
ON CONFLICT (store_hash, kind, record_kind, record_id, COALESCE(request_id, 0)) WHERE done_at IS NULL DO NOTHING
RETURNING id;

-- settle_notice --
UPDATE tasks SET done_at = :now, done_by = :done_by
 WHERE store_hash = :store_hash AND kind = :kind AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL;
