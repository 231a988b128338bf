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

-- put_person_of_user --
-- The directory entry with the user's address, so that users may sign. What people changed in it stays.
INSERT INTO people (store_hash, name, email, language, created_at)
VALUES (:store_hash, :name, :email, :language, :now)
ON CONFLICT (store_hash, email) DO UPDATE SET email = EXCLUDED.email
RETURNING id;

-- move_person_address --
-- The user's address changed in BigCommerce: the entry moves along, unless somebody else has that address.
UPDATE people SET email = :email
 WHERE store_hash = :store_hash AND id = :id
   AND NOT EXISTS (SELECT FROM people o WHERE o.store_hash = :store_hash AND o.email = :email AND o.id <> :id)
RETURNING id;

-- add_user --
-- A user on their first visit. Nothing comes back when they are known.
INSERT INTO users (store_hash, id, email, role, person_id, locale, created_at, seen_at)
VALUES (:store_hash, :id, :email, :role, :person_id, :locale, :now, :now)
ON CONFLICT (store_hash, id) DO NOTHING
RETURNING id;

-- see_user --
-- A known user visits, or a removed one was let in again: then as a new one.
UPDATE users
   SET email = :email, locale = :locale, person_id = :person_id, seen_at = :now, role = :role, state = 'active'
 WHERE store_hash = :store_hash AND id = :id;

-- lock_user --
SELECT id, email, role, state, person_id, seen_at FROM users WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- demote_other_owners --
-- A store has one owner: who was it before becomes a manager.
UPDATE users SET role = 'manager' WHERE store_hash = :store_hash AND role = 'owner' AND id <> :owner_id;

-- bury_user --
-- A tombstone: the id stays for the audit log. seen_at is the moment of removal: older visits are refused.
UPDATE users SET state = 'removed', seen_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state = 'active'
RETURNING person_id;

-- has_approval_limit --
-- Whether a person may still be asked to approve by limit.
SELECT 1 FROM approval_limits WHERE store_hash = :store_hash AND person_id = :person_id LIMIT 1;
