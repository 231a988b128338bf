-- The directory, the users and the approval limits, as the panel shows and saves them.

-- panel_list_people --
-- Those who left come last. limits: [[currency, amount as text or null], ...]. approves: named in a rule or with a limit.
SELECT p.id, p.name, p.email, p.language, p.state, p.deputy_id, p.deputy_from, p.deputy_until, p.created_at,
       d.name AS deputy_name,
       COALESCE((SELECT jsonb_agg(jsonb_build_array(l.currency, CAST(l.up_to AS text)) ORDER BY l.currency)
                   FROM approval_limits l WHERE l.store_hash = p.store_hash AND l.person_id = p.id), '[]') AS limits,
       (SELECT u.role FROM users u WHERE u.store_hash = p.store_hash AND u.person_id = p.id AND u.state = 'active'
         ORDER BY u.id LIMIT 1) AS role
  FROM people p LEFT JOIN people d ON d.store_hash = p.store_hash AND d.id = p.deputy_id
 WHERE p.store_hash = :store_hash
 ORDER BY p.state = 'left', lower(p.name), p.id;

-- panel_fetch_person --
SELECT p.id, p.name, p.email, p.language, p.state, p.deputy_id, p.deputy_from, p.deputy_until, p.created_at,
       d.name AS deputy_name,
       COALESCE((SELECT jsonb_agg(jsonb_build_array(l.currency, CAST(l.up_to AS text)) ORDER BY l.currency)
                   FROM approval_limits l WHERE l.store_hash = p.store_hash AND l.person_id = p.id), '[]') AS limits,
       (SELECT u.role FROM users u WHERE u.store_hash = p.store_hash AND u.person_id = p.id AND u.state = 'active'
         ORDER BY u.id LIMIT 1) AS role
  FROM people p LEFT JOIN people d ON d.store_hash = p.store_hash AND d.id = p.deputy_id
 WHERE p.store_hash = :store_hash AND p.id = :id;

-- panel_is_approver --
-- Whether anything depends on this person's approval: a limit, a rule as it stands, standing in for somebody; or a
-- change waits that could make it so, and who approves that has read this person's address.
SELECT EXISTS (SELECT FROM approval_limits l WHERE l.store_hash = :store_hash AND l.person_id = :id)
    OR EXISTS (SELECT FROM rules r
                 JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
                WHERE r.store_hash = :store_hash AND NOT r.archived
                  AND v.definition->'approvers' @> to_jsonb(CAST(:id AS bigint)))
    OR EXISTS (SELECT FROM people p WHERE p.store_hash = :store_hash AND p.deputy_id = :id AND p.state <> 'left')
    OR EXISTS (SELECT FROM pending_changes c WHERE c.store_hash = :store_hash AND c.state = 'waiting'
                  AND (c.subject IN ('rule', 'approver')
                       OR (c.subject = 'limit' AND split_part(c.subject_id, ':', 1) = CAST(:id AS text))));

-- panel_person_with_address --
SELECT id FROM people WHERE store_hash = :store_hash AND email = :email AND id <> :id;

-- panel_add_person --
INSERT INTO people (store_hash, name, email, language, state, deputy_id, deputy_from, deputy_until, created_at)
VALUES (:store_hash, :name, :email, :language, :state, CAST(:deputy_id AS bigint), :deputy_from, :deputy_until, :now)
ON CONFLICT (store_hash, email) DO NOTHING
RETURNING id;

-- panel_update_person --
UPDATE people SET name = :name, email = :email, language = :language, state = :state,
       deputy_id = CAST(:deputy_id AS bigint), deputy_from = :deputy_from, deputy_until = :deputy_until
 WHERE store_hash = :store_hash AND id = :id
RETURNING id;

-- panel_put_limit --
-- No amount: without limit.
INSERT INTO approval_limits (store_hash, person_id, currency, up_to)
VALUES (:store_hash, :person_id, :currency, CAST(:up_to AS numeric))
ON CONFLICT (store_hash, person_id, currency) DO UPDATE SET up_to = EXCLUDED.up_to;

-- panel_drop_limit --
DELETE FROM approval_limits WHERE store_hash = :store_hash AND person_id = :person_id AND currency = :currency
RETURNING id;

-- panel_list_limits --
SELECT person_id, currency, CAST(up_to AS text) AS up_to FROM approval_limits
 WHERE store_hash = :store_hash ORDER BY currency, up_to NULLS LAST, person_id;

-- panel_set_role --
-- The owner's role is BigCommerce's to give.
UPDATE users SET role = :role
 WHERE store_hash = :store_hash AND id = :id AND state = 'active' AND role <> 'owner' AND role = :was
RETURNING id;
