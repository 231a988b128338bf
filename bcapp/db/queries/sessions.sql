-- add_login_code --
-- A code or ticket for one use; only its digest is kept.
INSERT INTO login_codes (store_hash, code_digest, purpose, user_id, subject, created_at, ends_at)
VALUES (:store_hash, :code_digest, :purpose, :user_id, :subject, :now, :ends_at);

-- use_login_code --
-- Use the code up. Nothing comes back when it is unknown, of another purpose, used or late.
UPDATE login_codes SET used_at = :now
 WHERE store_hash = :store_hash AND code_digest = :code_digest AND purpose = :purpose AND used_at IS NULL
   AND ends_at > :now
RETURNING user_id;

-- use_download_ticket --
-- Use the ticket up, while its user is still one of the store.
UPDATE login_codes SET used_at = :now
 WHERE store_hash = :store_hash AND code_digest = :code_digest AND purpose = 'download' AND used_at IS NULL
   AND ends_at > :now
   AND EXISTS (SELECT FROM users u WHERE u.store_hash = login_codes.store_hash AND u.id = login_codes.user_id
                  AND u.state = 'active')
RETURNING user_id, subject;

-- add_session --
-- A session of one user in one store; only the token's digest is kept.
INSERT INTO sessions (store_hash, token_digest, user_id, csrf, created_at, seen_at, ends_at)
VALUES (:store_hash, :token_digest, :user_id, :csrf, :now, :now, :ends_at);

-- fetch_visit --
-- Who comes with this token: session, user, store and what every page shows, in one read.
-- Nothing comes back when the session ended, was idle for too long, was revoked, or its user was removed.
SELECT se.csrf, se.created_at AS session_created_at, se.seen_at AS session_seen_at, se.ends_at,
       u.id, u.email, u.role, u.state AS user_state, u.person_id, u.locale, u.created_at, u.seen_at, p.name,
       st.store_hash, st.installation, st.state, st.state_since, st.owner_id, st.scope, st.profile, st.settings,
       st.settings_version, st.installed_at, st.first_load_at,
       ARRAY(SELECT c.id FROM channels c WHERE c.store_hash = st.store_hash ORDER BY c.id) AS channels,
       (SELECT count(*) FROM tasks t WHERE t.store_hash = st.store_hash AND t.done_at IS NULL
           AND t.kind <> 'change_applied') AS open_tasks,
       (SELECT count(*) FROM requests r WHERE r.store_hash = st.store_hash AND r.simulated AND r.wanted = 'open'
           AND r.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')) AS simulated_requests
  FROM sessions se
  JOIN users u ON u.store_hash = se.store_hash AND u.id = se.user_id AND u.state = 'active'
  JOIN stores st ON st.store_hash = se.store_hash
  LEFT JOIN people p ON p.store_hash = u.store_hash AND p.id = u.person_id
 WHERE se.store_hash = :store_hash AND se.token_digest = :token_digest AND se.revoked_at IS NULL
   AND se.ends_at > :now AND se.seen_at > :idle_since;

-- touch_session --
-- Move the idle time on.
UPDATE sessions SET seen_at = :now WHERE store_hash = :store_hash AND token_digest = :token_digest;

-- revoke_session --
-- Sign out.
UPDATE sessions SET revoked_at = :now
 WHERE store_hash = :store_hash AND token_digest = :token_digest AND revoked_at IS NULL;

-- revoke_sessions_of_user --
-- End every session of a user: the user was removed, or signed out of the control panel.
UPDATE sessions SET revoked_at = :now WHERE store_hash = :store_hash AND user_id = :user_id AND revoked_at IS NULL;

-- revoke_sessions_of_store --
-- End every session of a store: it uninstalls.
UPDATE sessions SET revoked_at = :now WHERE store_hash = :store_hash AND revoked_at IS NULL;

-- drop_codes_of_user --
-- Codes that were not used yet open nothing any more.
DELETE FROM login_codes WHERE store_hash = :store_hash AND user_id = :user_id AND used_at IS NULL;

-- drop_codes_of_store --
-- Codes that were not used yet open nothing any more.
DELETE FROM login_codes WHERE store_hash = :store_hash AND used_at IS NULL;

-- remember_jwt --
-- A control-panel JWT came through a door. Returns true when it came through this door before.
INSERT INTO seen_jwts (store_hash, jti, door, seen_at, ends_at) VALUES (:store_hash, :jti, :door, :now, :ends_at)
ON CONFLICT (store_hash, jti, door) DO UPDATE SET seen_at = EXCLUDED.seen_at
RETURNING (xmax <> 0) AS again;

-- doors_of_jwt --
-- The doors through which a JWT came.
SELECT door FROM seen_jwts WHERE store_hash = :store_hash AND jti = :jti ORDER BY door;

-- drop_ended_sessions --
-- global: upkeep of all stores, in batches: what can open nothing any more.
DELETE FROM sessions WHERE (store_hash, token_digest) IN
    (SELECT store_hash, token_digest FROM sessions WHERE ends_at < :before LIMIT 1000);

-- drop_ended_codes --
-- global: likewise.
DELETE FROM login_codes WHERE (store_hash, code_digest) IN
    (SELECT store_hash, code_digest FROM login_codes WHERE ends_at < :before LIMIT 1000);

-- drop_ended_jwts --
-- global: likewise; a JWT that ended is refused by its own time.
DELETE FROM seen_jwts WHERE (store_hash, jti, door) IN
    (SELECT store_hash, jti, door FROM seen_jwts WHERE ends_at < :before LIMIT 1000);
