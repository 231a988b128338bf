-- Rules as a policy file reads and writes them.

-- policy_rules --
-- Every rule that is not archived, with its newest definition and how many requests run under it.
SELECT r.id, r.name, r.workflow, r.mode, r.version, v.definition,
       (SELECT count(*) FROM requests q WHERE q.store_hash = r.store_hash AND q.rule_id = r.id AND q.wanted = 'open'
           AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')) AS open_requests
  FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND NOT r.archived
 ORDER BY r.position, r.id;

-- policy_names --
-- By which names a file speaks of what rules use; archived ones too, because old rules may name them.
SELECT 'person' AS what, id, email AS name, state = 'left' AS archived FROM people WHERE store_hash = :store_hash
UNION ALL
SELECT 'agreement', id, name, archived FROM agreements WHERE store_hash = :store_hash
UNION ALL
SELECT 'account', id, name, false FROM signature_accounts WHERE store_hash = :store_hash
UNION ALL
SELECT 'calendar', id, name, false FROM calendars WHERE store_hash = :store_hash
ORDER BY what, archived, id;

-- lock_rules --
-- Nobody else saves or switches a rule of the store until the transaction ends.
SELECT id FROM rules WHERE store_hash = :store_hash ORDER BY id FOR UPDATE;

-- recent_origins --
-- Which customer groups, countries and currencies the newest orders that are known came from.
WITH recent AS (
    SELECT facts, currency FROM past_records
     WHERE store_hash = :store_hash AND kind = 'order'
     ORDER BY created_at DESC LIMIT :most
)
SELECT 'group' AS what, facts ->> 'customer_group_id' AS value FROM recent WHERE facts ? 'customer_group_id'
UNION
SELECT 'country', a.address ->> 'country'
  FROM recent, jsonb_array_elements(CASE WHEN jsonb_typeof(facts -> 'shipping') = 'array' THEN facts -> 'shipping'
                                         ELSE '[]' END) AS a(address)
 WHERE a.address ->> 'country' <> ''
UNION
SELECT 'currency', currency FROM recent WHERE currency <> '';
