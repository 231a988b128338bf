-- fetch_user --
-- One user, tombstones included.
SELECT u.id, u.email, u.role, u.state, u.person_id, u.locale, u.created_at, u.seen_at, p.name
  FROM users u LEFT JOIN people p ON p.store_hash = u.store_hash AND p.id = u.person_id
 WHERE u.store_hash = :store_hash AND u.id = :id;

-- list_users --
-- Users who are not removed, the owner first.
SELECT u.id, u.email, u.role, u.state, u.person_id, u.locale, u.created_at, u.seen_at, p.name
  FROM users u LEFT JOIN people p ON p.store_hash = u.store_hash AND p.id = u.person_id
 WHERE u.store_hash = :store_hash AND u.state = 'active'
 ORDER BY u.role <> 'owner', u.email, u.id;
