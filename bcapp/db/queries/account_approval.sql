-- last_approval --
-- What the account was before it was approved, and as what we left it.
SELECT found, left_as FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND kind = 'approve_account' AND state = 'applied' AND found IS NOT NULL
 ORDER BY id DESC LIMIT 1;

-- files_of_company --
-- The files that we attached to a company, oldest first.
SELECT id, left_as ->> 'attachment' AS attachment FROM actions
 WHERE store_hash = :store_hash AND record_kind = 'company' AND record_id = :record_id
   AND kind = 'attach_to_company' AND state = 'applied' AND left_as ->> 'attachment' IS NOT NULL
 ORDER BY id;

-- kinds_in_force --
-- Which kinds of record a workflow's rules look at, with the names of the rules; '' is the workflow's first kind.
SELECT r.workflow, COALESCE(v.definition ->> 'kind', '') AS kind, r.name, v.definition
  FROM rules r JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.mode IN ('live', 'monitor') AND NOT r.archived
 ORDER BY r.id;

-- settle_store_task --
-- Close a task about the store itself, unless it says this.
UPDATE tasks SET done_at = :now
 WHERE store_hash = :store_hash AND kind = :kind AND record_kind = 'store' AND record_id = :store_hash
   AND done_at IS NULL AND text <> :but;
