-- Sealing secrets anew. A sealed value names its key in bytes 2 to 9, so what is left to do is read off the values:
-- a run that was stopped is simply run again. Each list goes forward by (store_hash, row), past what cannot be opened;
-- each put compares with what was read, so that a secret changed meanwhile is not overwritten.

-- stale_access_tokens --
-- global: keys are the operator's, for all stores.
SELECT store_hash, store_hash AS row, access_token AS sealed FROM stores
 WHERE access_token IS NOT NULL AND substring(access_token FROM 2 FOR 8) <> :first_key
   AND (store_hash, store_hash) > (:after_store, CAST(:after_row AS text))
 ORDER BY store_hash LIMIT :most;

-- reseal_access_token --
UPDATE stores SET access_token = :sealed
 WHERE store_hash = :store_hash AND store_hash = CAST(:row AS text) AND access_token = :old RETURNING store_hash;

-- stale_data_keys --
-- global: keys are the operator's, for all stores.
SELECT store_hash, store_hash AS row, data_key AS sealed FROM stores
 WHERE data_key IS NOT NULL AND substring(data_key FROM 2 FOR 8) <> :first_key
   AND (store_hash, store_hash) > (:after_store, CAST(:after_row AS text))
 ORDER BY store_hash LIMIT :most;

-- reseal_data_key --
UPDATE stores SET data_key = :sealed
 WHERE store_hash = :store_hash AND store_hash = CAST(:row AS text) AND data_key = :old RETURNING store_hash;

-- stale_webhook_keys --
-- global: keys are the operator's, for all stores.
SELECT store_hash, store_hash AS row, webhook_key AS sealed FROM stores
 WHERE webhook_key IS NOT NULL AND substring(webhook_key FROM 2 FOR 8) <> :first_key
   AND (store_hash, store_hash) > (:after_store, CAST(:after_row AS text))
 ORDER BY store_hash LIMIT :most;

-- reseal_webhook_key --
UPDATE stores SET webhook_key = :sealed
 WHERE store_hash = :store_hash AND store_hash = CAST(:row AS text) AND webhook_key = :old RETURNING store_hash;

-- stale_change_payloads --
-- global: keys are the operator's, for all stores.
SELECT store_hash, id AS row, payload AS sealed FROM pending_changes
 WHERE payload <> '' AND substring(payload FROM 2 FOR 8) <> :first_key
   AND (store_hash, id) > (:after_store, CAST(:after_row AS bigint))
 ORDER BY store_hash, id LIMIT :most;

-- reseal_change_payload --
UPDATE pending_changes SET payload = :sealed
 WHERE store_hash = :store_hash AND id = CAST(:row AS bigint) AND payload = :old RETURNING id;

-- stale_client_secrets --
-- global: keys are the operator's, for all stores.
SELECT store_hash, id AS row, client_secret AS sealed FROM signature_accounts
 WHERE client_secret <> '' AND substring(client_secret FROM 2 FOR 8) <> :first_key
   AND (store_hash, id) > (:after_store, CAST(:after_row AS bigint))
 ORDER BY store_hash, id LIMIT :most;

-- reseal_client_secret --
UPDATE signature_accounts SET client_secret = :sealed
 WHERE store_hash = :store_hash AND id = CAST(:row AS bigint) AND client_secret = :old RETURNING id;

-- stale_account_tokens --
-- global: keys are the operator's, for all stores.
SELECT store_hash, id AS row, token AS sealed FROM signature_accounts
 WHERE token IS NOT NULL AND substring(token FROM 2 FOR 8) <> :first_key
   AND (store_hash, id) > (:after_store, CAST(:after_row AS bigint))
 ORDER BY store_hash, id LIMIT :most;

-- reseal_account_token --
UPDATE signature_accounts SET token = :sealed
 WHERE store_hash = :store_hash AND id = CAST(:row AS bigint) AND token = :old RETURNING id;

-- stale_callback_tokens --
-- global: keys are the operator's, for all stores.
SELECT store_hash, id AS row, callback_token AS sealed FROM requests
 WHERE callback_token IS NOT NULL AND substring(callback_token FROM 2 FOR 8) <> :first_key
   AND (store_hash, id) > (:after_store, CAST(:after_row AS bigint))
 ORDER BY store_hash, id LIMIT :most;

-- reseal_callback_token --
UPDATE requests SET callback_token = :sealed
 WHERE store_hash = :store_hash AND id = CAST(:row AS bigint) AND callback_token = :old RETURNING id;

-- stale_endpoint_secrets --
-- global: keys are the operator's, for all stores.
SELECT store_hash, id AS row, secret AS sealed FROM webhook_endpoints
 WHERE secret IS NOT NULL AND substring(secret FROM 2 FOR 8) <> :first_key
   AND (store_hash, id) > (:after_store, CAST(:after_row AS bigint))
 ORDER BY store_hash, id LIMIT :most;

-- reseal_endpoint_secret --
UPDATE webhook_endpoints SET secret = :sealed
 WHERE store_hash = :store_hash AND id = CAST(:row AS bigint) AND secret = :old RETURNING id;

-- stale_previous_secrets --
-- global: keys are the operator's, for all stores.
SELECT store_hash, id AS row, previous_secret AS sealed FROM webhook_endpoints
 WHERE previous_secret IS NOT NULL AND substring(previous_secret FROM 2 FOR 8) <> :first_key
   AND (store_hash, id) > (:after_store, CAST(:after_row AS bigint))
 ORDER BY store_hash, id LIMIT :most;

-- reseal_previous_secret --
UPDATE webhook_endpoints SET previous_secret = :sealed
 WHERE store_hash = :store_hash AND id = CAST(:row AS bigint) AND previous_secret = :old RETURNING id;

-- stale_commands --
-- What a person pressed waits in the inbox, sealed like a secret; other bodies there are under the store's data key.
-- global: keys are the operator's, for all stores.
SELECT store_hash, key AS row, body AS sealed FROM deliveries
 WHERE source = 'panel' AND body <> '' AND substring(body FROM 2 FOR 8) <> :first_key
   AND (store_hash, key) > (:after_store, CAST(:after_row AS text))
 ORDER BY store_hash, key LIMIT :most;

-- reseal_command --
UPDATE deliveries SET body = :sealed
 WHERE store_hash = :store_hash AND key = CAST(:row AS text) AND body = :old RETURNING key;
