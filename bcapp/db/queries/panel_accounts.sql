-- Signature accounts as the panel shows and saves them. Secrets go in, never out.

-- panel_list_accounts --
-- testing: a test waits or runs.
SELECT a.id, a.name, a.environment, a.tenant, a.token_url, a.api_root, a.client_id, a.subscription, a.from_email,
       a.state, a.state_why, a.report, jsonb_array_length(a.templates) AS templates, a.checked_at, a.created_at,
       EXISTS (SELECT FROM actions x WHERE x.store_hash = a.store_hash AND x.record_kind = 'account'
                  AND x.record_id = CAST(a.id AS text) AND x.kind = 'test_account'
                  AND x.state IN ('pending', 'started')) AS testing,
       EXISTS (SELECT FROM requests q WHERE q.store_hash = a.store_hash AND q.account_id = a.id) AS used
  FROM signature_accounts a WHERE a.store_hash = :store_hash
 ORDER BY a.id;

-- panel_fetch_account_view --
SELECT a.id, a.name, a.environment, a.tenant, a.token_url, a.api_root, a.client_id, a.subscription, a.from_email,
       a.state, a.state_why, a.report, jsonb_array_length(a.templates) AS templates, a.checked_at, a.created_at,
       EXISTS (SELECT FROM actions x WHERE x.store_hash = a.store_hash AND x.record_kind = 'account'
                  AND x.record_id = CAST(a.id AS text) AND x.kind = 'test_account'
                  AND x.state IN ('pending', 'started')) AS testing,
       EXISTS (SELECT FROM requests q WHERE q.store_hash = a.store_hash AND q.account_id = a.id) AS used
  FROM signature_accounts a WHERE a.store_hash = :store_hash AND a.id = :id;

-- panel_add_account --
-- The secret is bound to the id and follows in the same transaction.
INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id, client_secret,
                                subscription, from_email, created_at)
VALUES (:store_hash, :name, :environment, :tenant, :token_url, :api_root, :client_id, '', :subscription, :from_email, :now)
RETURNING id;

-- panel_update_account --
-- What was learnt with the old credentials counts no longer.
UPDATE signature_accounts
   SET name = :name, environment = :environment, tenant = :tenant, token_url = :token_url, api_root = :api_root,
       client_id = :client_id, subscription = :subscription, from_email = :from_email, spellings = '{}',
       token = NULL, token_ends_at = NULL, state = 'untested', state_why = '', report = '[]', templates = '[]'
 WHERE store_hash = :store_hash AND id = :id
RETURNING id;

-- panel_rename_account --
UPDATE signature_accounts SET name = :name WHERE store_hash = :store_hash AND id = :id RETURNING id;

-- panel_put_account_secret --
UPDATE signature_accounts SET client_secret = :client_secret WHERE store_hash = :store_hash AND id = :id;

-- panel_count_recent_actions --
-- How often people asked for this kind since a moment, and whether one still waits or runs for the record.
SELECT count(*) FILTER (WHERE created_at > :since) AS recent,
       count(*) FILTER (WHERE record_id = :record_id AND state IN ('pending', 'started')) AS open
  FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND kind = :kind
   AND (created_at > :since OR state IN ('pending', 'started'));
