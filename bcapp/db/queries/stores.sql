-- fetch_store --
-- A store without its secrets, with its channels.
SELECT st.store_hash, st.installation, st.state, st.state_since, st.owner_id, st.scope, st.profile, st.settings,
       st.settings_version, st.installed_at, st.first_load_at,
       ARRAY(SELECT c.id FROM channels c WHERE c.store_hash = st.store_hash ORDER BY c.id) AS channels
  FROM stores st WHERE st.store_hash = :store_hash;

-- lock_installation --
-- The store's life cycle columns, locked until the transaction ends.
SELECT state, installation, owner_id, data_key, webhook_key, webhook_key_digest
  FROM stores WHERE store_hash = :store_hash FOR UPDATE;

-- add_store --
-- The first install. Nothing comes back when somebody else was first.
INSERT INTO stores (store_hash, state, access_token, scope, owner_id, data_key, webhook_key, webhook_key_digest,
                    profile, installed_at, state_since)
VALUES (:store_hash, 'active', :access_token, :scope, :owner_id, :data_key, :webhook_key, :webhook_key_digest,
        CAST(:profile AS jsonb), :now, :now)
ON CONFLICT (store_hash) DO NOTHING
RETURNING installation;

-- renew_store --
-- Installed again, or accepted again: the token is replaced, everything else goes on where it stood. A profile that
-- could not be read leaves the old one.
UPDATE stores
   SET state = 'active', access_token = :access_token, scope = :scope, owner_id = :owner_id,
       installation = installation + :raise_by, data_key = COALESCE(data_key, :data_key),
       profile = CASE WHEN CAST(:profile AS jsonb) = '{}' THEN profile ELSE CAST(:profile AS jsonb) END,
       state_since = CASE WHEN state = 'active' THEN state_since ELSE :now END
 WHERE store_hash = :store_hash
RETURNING installation;

-- set_webhook_key --
-- A new key for our webhooks; deliveries that carry its predecessor are taken until :previous_until.
UPDATE stores
   SET previous_key_digest = webhook_key_digest,
       previous_key_until = CASE WHEN webhook_key_digest IS NULL THEN NULL ELSE CAST(:previous_until AS timestamptz) END,
       webhook_key = :webhook_key, webhook_key_digest = :webhook_key_digest
 WHERE store_hash = :store_hash;

-- set_owner --
UPDATE stores SET owner_id = :owner_id WHERE store_hash = :store_hash AND owner_id <> :owner_id RETURNING store_hash;

-- note_first_load --
UPDATE stores SET first_load_at = :now WHERE store_hash = :store_hash AND first_load_at IS NULL;

-- begin_uninstall --
-- Work stops now; secrets are destroyed by the worker, after BigCommerce confirmed it.
UPDATE stores SET state = 'uninstalling', state_since = :now
 WHERE store_hash = :store_hash AND state IN ('active', 'reconsent')
RETURNING installation;

-- drop_uninstall_steps --
-- The store was installed again: nothing of the announced uninstall is left to do.
UPDATE actions SET state = 'skipped', why = 'installed again', finished_at = :now
 WHERE store_hash = :store_hash AND record_kind = 'store' AND record_id = :store_hash AND state = 'pending'
   AND kind IN ('probe_uninstall', 'finish_uninstall');

-- fetch_door --
-- What a webhook must know of its store: state, keys of the header, key of its raw bodies.
SELECT state, webhook_key_digest, previous_key_digest, previous_key_until, data_key
  FROM stores WHERE store_hash = :store_hash;

-- fetch_callback --
-- Which request a callback's token belongs to, and the store's state and key of raw bodies.
SELECT r.id, st.state, st.data_key
  FROM requests r JOIN stores st ON st.store_hash = r.store_hash
 WHERE r.store_hash = :store_hash AND r.callback_digest = :callback_digest;
