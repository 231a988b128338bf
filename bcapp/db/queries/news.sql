-- What other systems are told: endpoints, messages, and each try to deliver one.

-- endpoints_for --
-- Who listens to an event, locked against being removed meanwhile.
SELECT id FROM webhook_endpoints
 WHERE store_hash = :store_hash AND state = 'on' AND (events = '{}' OR :event = ANY(events))
 ORDER BY id FOR KEY SHARE;

-- news_request --
SELECT id, workflow, rule_id, rule_version, purpose, round, status, checked, simulated, agreement_id, agreement_version
  FROM requests WHERE store_hash = :store_hash AND id = :id;

-- add_message --
INSERT INTO webhook_messages (store_hash, id, event, body, made_at)
VALUES (:store_hash, :id, :event, :body, :now);

-- add_send --
INSERT INTO webhook_sends (store_hash, endpoint_id, message_id, made_at, next_at)
VALUES (:store_hash, :endpoint_id, :message_id, :now, :now)
RETURNING id;

-- fetch_send --
SELECT s.id, s.state, s.tries, s.endpoint_id, s.message_id, m.event, m.body, e.url, e.secret, e.previous_secret,
       e.previous_until, e.state AS endpoint_state, e.failing_since, e.description
  FROM webhook_sends s
  JOIN webhook_messages m ON m.store_hash = s.store_hash AND m.id = s.message_id
  JOIN webhook_endpoints e ON e.store_hash = s.store_hash AND e.id = s.endpoint_id
 WHERE s.store_hash = :store_hash AND s.id = :id;

-- add_try --
INSERT INTO webhook_tries (store_hash, send_id, number, tried_at, status, milliseconds, why)
SELECT :store_hash, :send_id, COALESCE(max(number), 0) + 1, :now, CAST(:status AS integer), :milliseconds, :why
  FROM webhook_tries WHERE store_hash = :store_hash AND send_id = :send_id;

-- note_send --
-- A try ended. Nothing comes back when somebody else ended the send meanwhile.
UPDATE webhook_sends
   SET state = :state, why = :why, tries = tries + 1, next_at = :next_at,
       ended_at = CASE WHEN :state = 'waiting' THEN NULL ELSE CAST(:now AS timestamptz) END
 WHERE store_hash = :store_hash AND id = :id AND state = 'waiting'
RETURNING id;

-- end_send --
UPDATE webhook_sends SET state = 'failed', why = :why, next_at = NULL, ended_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state = 'waiting';

-- endpoint_works --
UPDATE webhook_endpoints SET failing_since = NULL
 WHERE store_hash = :store_hash AND id = :id AND failing_since IS NOT NULL;

-- endpoint_fails --
UPDATE webhook_endpoints SET failing_since = COALESCE(failing_since, :now)
 WHERE store_hash = :store_hash AND id = :id
RETURNING failing_since;

-- switch_endpoint_off --
UPDATE webhook_endpoints SET state = 'off', off_why = :why
 WHERE store_hash = :store_hash AND id = :id AND state = 'on'
RETURNING id;

-- switch_endpoint_on --
UPDATE webhook_endpoints SET state = 'on', off_why = '', failing_since = NULL
 WHERE store_hash = :store_hash AND id = :id AND state = 'off' AND secret IS NOT NULL
RETURNING id;

-- settle_endpoint --
UPDATE tasks SET done_at = :now
 WHERE store_hash = :store_hash AND kind = 'endpoint_off' AND record_kind = 'endpoint' AND record_id = CAST(CAST(:id AS bigint) AS text)
   AND done_at IS NULL;

-- clear_messages --
-- global: told or given up in any store, deleted in batches with their tries.
DELETE FROM webhook_messages
 WHERE (store_hash, id) IN (SELECT store_hash, id FROM webhook_messages WHERE made_at < :before LIMIT 2000);

-- list_endpoints --
SELECT e.id, e.url, e.description, e.events, e.state, e.off_why, e.failing_since, e.created_at,
       (SELECT count(*) FROM webhook_sends s
         WHERE s.store_hash = e.store_hash AND s.endpoint_id = e.id AND s.made_at > :since) AS sent,
       (SELECT count(*) FROM webhook_sends s
         WHERE s.store_hash = e.store_hash AND s.endpoint_id = e.id AND s.made_at > :since AND s.state = 'failed') AS failed
  FROM webhook_endpoints e WHERE e.store_hash = :store_hash ORDER BY e.id;

-- fetch_endpoint --
SELECT id, url, description, events, state, off_why, failing_since, previous_until, created_at, secret IS NOT NULL AS has_secret
  FROM webhook_endpoints WHERE store_hash = :store_hash AND id = :id;

-- count_endpoints --
SELECT count(*) FROM webhook_endpoints WHERE store_hash = :store_hash;

-- next_endpoint_id --
SELECT nextval(pg_get_serial_sequence('webhook_endpoints', 'id'));

-- add_endpoint --
INSERT INTO webhook_endpoints (store_hash, id, url, description, events, secret, created_by, created_at)
OVERRIDING SYSTEM VALUE
VALUES (:store_hash, :id, :url, :description, CAST(:events AS text[]), :secret, :created_by, :now);

-- save_endpoint --
UPDATE webhook_endpoints SET url = :url, description = :description, events = CAST(:events AS text[]),
       failing_since = CASE WHEN url = :url THEN failing_since END
 WHERE store_hash = :store_hash AND id = :id
RETURNING id;

-- replace_endpoint_secret --
-- The one before signs along for a while, so that nothing is refused while the other side is changed.
UPDATE webhook_endpoints SET previous_secret = :previous, previous_until = :previous_until, secret = :secret
 WHERE store_hash = :store_hash AND id = :id
RETURNING id;

-- endpoint_secret --
SELECT secret FROM webhook_endpoints WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- remove_endpoint --
DELETE FROM webhook_endpoints WHERE store_hash = :store_hash AND id = :id RETURNING id;

-- sends_of_endpoint --
SELECT s.id, s.message_id, m.event, s.state, s.why, s.tries, s.next_at, s.made_at, s.ended_at,
       (SELECT t.status FROM webhook_tries t WHERE t.store_hash = s.store_hash AND t.send_id = s.id
         ORDER BY t.number DESC LIMIT 1) AS status
  FROM webhook_sends s JOIN webhook_messages m ON m.store_hash = s.store_hash AND m.id = s.message_id
 WHERE s.store_hash = :store_hash AND s.endpoint_id = :endpoint_id
 ORDER BY s.id DESC LIMIT :size OFFSET :skip;

-- count_sends --
SELECT count(*) FROM webhook_sends WHERE store_hash = :store_hash AND endpoint_id = :endpoint_id;

-- tries_of_send --
SELECT number, tried_at, status, milliseconds, why FROM webhook_tries
 WHERE store_hash = :store_hash AND send_id = :send_id ORDER BY number DESC LIMIT 50;

-- send_again --
-- A person asks for it; what still waits is left to its own time.
UPDATE webhook_sends SET state = 'waiting', why = '', tries = 0, next_at = :now, ended_at = NULL
 WHERE store_hash = :store_hash AND endpoint_id = :endpoint_id AND id = :id AND state <> 'waiting'
RETURNING id;

-- destroy_endpoint_secrets --
UPDATE webhook_endpoints SET secret = NULL, previous_secret = NULL, state = 'off', off_why = 'The app was uninstalled.'
 WHERE store_hash = :store_hash;

-- end_waiting_sends --
-- What was not told when the app went is not told any more: a person may send it again after a re-install.
UPDATE webhook_sends SET state = 'failed', why = 'The app was uninstalled.', next_at = NULL, ended_at = :now
 WHERE store_hash = :store_hash AND state = 'waiting';

-- revoke_every_api_key --
UPDATE api_keys SET revoked_at = :now WHERE store_hash = :store_hash AND revoked_at IS NULL;
