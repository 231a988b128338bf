-- What a call to a service needs: tokens and accounts.

-- fetch_token --
SELECT access_token, state FROM stores WHERE store_hash = :store_hash;

-- mark_reconsent --
-- Only while the token that was refused is still the one that stands there: a re-install may have been faster.
UPDATE stores SET state = 'reconsent', state_since = :now
 WHERE store_hash = :store_hash AND state = 'active' AND access_token = :refused
RETURNING store_hash;

-- fetch_account --
SELECT id, name, environment, tenant, token_url, api_root, client_id, client_secret, subscription, from_email, spellings,
       state, state_why
  FROM signature_accounts WHERE store_hash = :store_hash AND id = :id;

-- fetch_account_token --
SELECT token, token_ends_at FROM signature_accounts WHERE store_hash = :store_hash AND id = :id;

-- save_account_token --
UPDATE signature_accounts SET token = :token, token_ends_at = :ends_at WHERE store_hash = :store_hash AND id = :id;

-- save_spellings --
UPDATE signature_accounts SET spellings = spellings || CAST(:spellings AS jsonb) WHERE store_hash = :store_hash AND id = :id;

-- save_account_report --
UPDATE signature_accounts
   SET state = :state, state_why = :why, report = CAST(:report AS jsonb),
       templates = COALESCE(CAST(:templates AS jsonb), templates), checked_at = :now
 WHERE store_hash = :store_hash AND id = :id;

-- mark_account_broken --
UPDATE signature_accounts SET state = 'broken', state_why = :why
 WHERE store_hash = :store_hash AND id = :id AND state <> 'broken'
RETURNING id;

-- wake_actions_of_account --
-- The account works again: what waited for it goes on now.
UPDATE actions a SET due_at = :now
  FROM requests q
 WHERE a.store_hash = :store_hash AND a.state = 'pending' AND a.due_at > :now
   AND q.store_hash = a.store_hash AND q.id = a.request_id AND q.account_id = :account_id;

-- save_hook --
INSERT INTO hooks (store_hash, id, scope, is_active, checked_at) VALUES (:store_hash, :id, :scope, :is_active, :now)
ON CONFLICT (store_hash, id) DO UPDATE SET scope = excluded.scope, is_active = excluded.is_active, checked_at = :now;

-- drop_old_hooks --
DELETE FROM hooks WHERE store_hash = :store_hash AND checked_at < :now;

-- fetch_webhook_key --
SELECT webhook_key FROM stores WHERE store_hash = :store_hash;

-- fetch_alarm_person --
SELECT p.id, p.name, p.email, p.language
  FROM stores s JOIN people p ON p.store_hash = s.store_hash
                             AND p.id = CAST(COALESCE(s.settings ->> 'alarm_person', '0') AS bigint)
 WHERE s.store_hash = :store_hash;

-- fetch_owner_person --
SELECT p.id, p.name, p.email, p.language
  FROM stores s JOIN users u ON u.store_hash = s.store_hash AND u.id = s.owner_id
                JOIN people p ON p.store_hash = u.store_hash AND p.id = u.person_id
 WHERE s.store_hash = :store_hash;

-- held_records --
SELECT h.record_kind, h.record_id, h.state, h.found, h.kept_by, r.label FROM holds h
  JOIN records r ON r.store_hash = h.store_hash AND r.kind = h.record_kind AND r.id = h.record_id
 WHERE h.store_hash = :store_hash AND h.state IN ('holding', 'held', 'kept', 'releasing')
   AND h.record_kind <> 'case'  -- it holds nothing in the store: what is not carried out stays undone
 ORDER BY h.wanted_at;

-- keep_hold --
-- The app goes, and a person decided that this hold stays.
UPDATE holds SET state = 'kept', state_why = :why
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND state IN ('holding', 'held', 'kept');

-- open_requests_of_store --
SELECT id, account_id, provider_request, provider_document, record_kind, record_id FROM requests
 WHERE store_hash = :store_hash AND status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed') ORDER BY id;

-- destroy_secrets --
-- Documents and evidence stay sealed under the data key, which stays wrapped; what opens doors goes.
UPDATE stores SET access_token = NULL, webhook_key = NULL, webhook_key_digest = NULL, previous_key_digest = NULL,
       state = 'uninstalled', state_since = :now
 WHERE store_hash = :store_hash AND state = 'uninstalling';

-- destroy_account_secrets --
UPDATE signature_accounts SET client_secret = '', token = NULL, state = 'broken', state_why = 'The app was uninstalled.'
 WHERE store_hash = :store_hash;

-- resume_store --
UPDATE stores SET state = 'active', state_since = :now WHERE store_hash = :store_hash AND state = 'uninstalling';

-- stop_actions --
-- An uninstalled store has nothing left to do.
UPDATE actions SET state = 'skipped', why = 'The app was uninstalled.', finished_at = :now
 WHERE store_hash = :store_hash AND state IN ('pending', 'started') AND kind NOT IN ('probe_uninstall', 'finish_uninstall');

-- start_backlog --
UPDATE backlogs SET state = :state, cursor = CAST(:cursor AS jsonb), groups = CAST(:groups AS jsonb), updated_at = :now
 WHERE store_hash = :store_hash AND rule_id = :rule_id;

-- fetch_backlog --
SELECT state, cursor, groups, updated_at FROM backlogs WHERE store_hash = :store_hash AND rule_id = :rule_id;

-- add_backlog --
INSERT INTO backlogs (store_hash, rule_id, state, updated_at) VALUES (:store_hash, :rule_id, 'counting', :now)
ON CONFLICT (store_hash, rule_id) DO UPDATE SET state = 'counting', cursor = '{}', groups = '[]', updated_at = :now;

-- fetch_data_key --
SELECT data_key FROM stores WHERE store_hash = :store_hash;

-- fetch_rule_definition_version --
SELECT r.name, v.definition FROM rule_versions v JOIN rules r ON r.store_hash = v.store_hash AND r.id = v.rule_id
 WHERE v.store_hash = :store_hash AND v.rule_id = :rule_id AND v.version = :version;

-- want_mend --
UPDATE signers SET mend_to = :email
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position;

-- wanted_address --
SELECT mend_to FROM signers WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position;

-- mend_signer --
-- The address asked first stays known, so that the check of the signed document understands who passed it on.
UPDATE signers SET mended_from = email, email = :email, state = 'emailed'
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND email <> :email
RETURNING position;
