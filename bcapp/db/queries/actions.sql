-- The outbox: one row per thing to do at a service.

-- add_action --
INSERT INTO actions (store_hash, kind, record_kind, record_id, lane, seq, request_id, payload, priority, due_at, created_at)
SELECT :store_hash, :kind, :record_kind, :record_id, :lane, COALESCE(max(a.seq), 0) + 1, CAST(:request_id AS bigint),
       CAST(:payload AS jsonb), :priority, :due_at, :now
  FROM actions a
 WHERE a.store_hash = :store_hash AND a.record_kind = :record_kind AND a.record_id = :record_id AND a.lane = :lane
RETURNING id;

-- open_actions --
SELECT id, kind, lane, state, request_id, payload FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND state IN ('pending', 'started')
 ORDER BY id;

-- fetch_action --
SELECT * FROM actions WHERE store_hash = :store_hash AND id = :id;

-- has_earlier --
SELECT 1 FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND lane = :lane
   AND seq < :seq AND state IN ('pending', 'started') LIMIT 1;

-- heads_of_record --
-- The first open action of each lane, when it is due: what may run now.
SELECT DISTINCT ON (lane) id, attempt, priority, due_at FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND state IN ('pending', 'started')
 ORDER BY lane, seq;

-- start_action --
-- Mark the action started and raise its generation, before the call. Nothing comes back when someone else was first.
UPDATE actions
   SET state = 'started', attempt = attempt + 1, generation = generation + 1, started_at = :now, due_at = :lease_until
 WHERE store_hash = :store_hash AND id = :id AND generation = :generation AND state IN ('pending', 'started')
RETURNING *;

-- note_found --
-- What was found before our first write; written once.
UPDATE actions SET found = COALESCE(found, CAST(:found AS jsonb))
 WHERE store_hash = :store_hash AND id = :id AND generation = :generation AND state = 'started'
RETURNING found;

-- note_step --
-- How far a started action came, for whoever has to go on with it.
UPDATE actions SET payload = payload || CAST(:payload AS jsonb)
 WHERE store_hash = :store_hash AND id = :id AND generation = :generation AND state = 'started'
RETURNING id;

-- finish_action --
UPDATE actions
   SET state = :state, why = :why, left_as = CAST(:left_as AS jsonb), finished_at = :now
 WHERE store_hash = :store_hash AND id = :id AND generation = :generation AND state = 'started'
RETURNING id;

-- postpone_action --
UPDATE actions
   SET state = 'pending', why = :why, due_at = :due_at, attempt = attempt - :uncounted
 WHERE store_hash = :store_hash AND id = :id AND generation = :generation AND state = 'started'
RETURNING id;

-- rerun_action --
-- A person asks for another try of what failed.
UPDATE actions SET state = 'pending', why = '', due_at = :now, attempt = 0, finished_at = NULL
 WHERE store_hash = :store_hash AND id = :id AND state IN ('failed', 'conflict')
RETURNING id, record_kind, record_id, lane, kind;

-- due_actions --
-- global: the tick of every worker asks what is due in any store, first of its lane, at most some per store. What
-- nobody may do now (the store waits for consent or is leaving, a newer release queued it) must not crowd out the rest.
-- What was wanted first is done first, however often it was put off: an outage changes no order.
--
-- A signature account that was away for long is called by turns (jobs/gates.py): only the first few of what waits for
-- it come near it. What is due soon keeps its place, for it was put off a moment ago.
WITH heads AS (
    SELECT a.store_hash, a.id, a.attempt, a.priority, a.due_at,
           CASE WHEN b.paced_until > :now THEN b.account_id END AS paced
      FROM actions a JOIN stores s ON s.store_hash = a.store_hash
      LEFT JOIN requests q ON q.store_hash = a.store_hash AND q.id = a.request_id
                          AND a.kind = ANY(CAST(:signing AS text[]))
      LEFT JOIN budgets b ON b.store_hash = q.store_hash AND b.service = 'core_signature' AND b.account_id = q.account_id
     WHERE a.state IN ('pending', 'started') AND a.due_at <= :soon AND a.kind = ANY(CAST(:kinds AS text[]))
       AND (s.state = 'active' OR a.kind = ANY(CASE WHEN s.state = 'reconsent' THEN CAST(:telling AS text[])
                                                    ELSE CAST(:leaving AS text[]) END))
       AND NOT EXISTS (SELECT 1 FROM actions b
                        WHERE b.store_hash = a.store_hash AND b.record_kind = a.record_kind
                          AND b.record_id = a.record_id AND b.lane = a.lane AND b.seq < a.seq
                          AND b.state IN ('pending', 'started'))
), turns AS (
    SELECT *, row_number() OVER (PARTITION BY store_hash, paced ORDER BY priority, id) AS turn FROM heads
), due AS (
    SELECT *, row_number() OVER (PARTITION BY store_hash ORDER BY priority, id) AS place
      FROM turns WHERE due_at <= :now AND (paced IS NULL OR turn <= :turns)
)
SELECT store_hash, id, attempt, priority FROM due
 WHERE place <= :per_store
 ORDER BY priority, place, due_at
 LIMIT :most;

-- fetch_budget --
SELECT remaining, resets_at, wait_until, failures, open_until, opened_at, paced_until FROM budgets
 WHERE store_hash = :store_hash AND service = :service AND account_id = :account_id;

-- take_trial --
-- The breaker's time is over: one caller tries, the others go on waiting.
UPDATE budgets SET open_until = :next_until
 WHERE store_hash = :store_hash AND service = :service AND account_id = :account_id AND open_until <= :now
RETURNING 1;

-- note_call --
INSERT INTO budgets (store_hash, service, account_id, remaining, resets_at, calls_at)
VALUES (:store_hash, :service, :account_id, CAST(:remaining AS integer), :resets_at, :now)
ON CONFLICT (store_hash, service, account_id) DO UPDATE
   SET remaining = excluded.remaining, resets_at = excluded.resets_at, calls_at = :now, failures = 0,
       open_until = NULL, opened_at = NULL, alarmed_at = NULL, last_error = '',
       paced_until = CASE WHEN budgets.opened_at < CAST(:long_before AS timestamptz) THEN CAST(:paced_until AS timestamptz)
                          ELSE budgets.paced_until END;

-- take_turn --
-- The next free turn of a service that is back, when it comes soon enough. Pacing goes on as long as anything waits:
-- a caller for its turn, or an action for being let near (due_actions lets only the first few).
UPDATE budgets b
   SET next_call_at = GREATEST(next_call_at, CAST(:now AS timestamptz)) + make_interval(secs => :seconds),
       paced_until = CASE WHEN next_call_at > :now
                            OR EXISTS (SELECT 1 FROM actions a
                                         JOIN requests q ON q.store_hash = a.store_hash AND q.id = a.request_id
                                        WHERE a.store_hash = b.store_hash AND a.state = 'pending' AND a.due_at <= :soon
                                          AND a.kind = ANY(CAST(:signing AS text[])) AND q.account_id = b.account_id)
                          THEN GREATEST(paced_until, :paced_until) ELSE paced_until END
 WHERE store_hash = :store_hash AND service = :service AND account_id = :account_id
   AND (next_call_at IS NULL OR next_call_at <= :latest)
RETURNING next_call_at - make_interval(secs => :seconds) AS turn;

-- recall_paced --
-- The service is back: what was put off while it was away is due again, so that it goes in its order.
UPDATE actions a SET due_at = :now
  FROM requests q, budgets b
 WHERE a.store_hash = :store_hash AND a.state = 'pending' AND a.due_at > :now AND a.started_at IS NOT NULL
   AND a.kind = ANY(CAST(:signing AS text[]))
   AND q.store_hash = a.store_hash AND q.id = a.request_id AND q.account_id = :account_id
   AND b.store_hash = a.store_hash AND b.service = :service AND b.account_id = q.account_id AND b.paced_until > :now;

-- wait_for_turn --
UPDATE budgets SET paced_until = GREATEST(paced_until, :paced_until)
 WHERE store_hash = :store_hash AND service = :service AND account_id = :account_id
RETURNING next_call_at;

-- note_wait --
INSERT INTO budgets (store_hash, service, account_id, wait_until, calls_at)
VALUES (:store_hash, :service, :account_id, :wait_until, :now)
ON CONFLICT (store_hash, service, account_id) DO UPDATE
   SET wait_until = GREATEST(COALESCE(budgets.wait_until, excluded.wait_until), excluded.wait_until), calls_at = :now;

-- note_failure --
INSERT INTO budgets (store_hash, service, account_id, failures, last_error, calls_at)
VALUES (:store_hash, :service, :account_id, 1, :error, :now)
ON CONFLICT (store_hash, service, account_id) DO UPDATE
   SET failures = budgets.failures + 1, last_error = excluded.last_error, calls_at = :now
RETURNING failures, opened_at;

-- open_breaker --
UPDATE budgets SET open_until = :open_until, opened_at = COALESCE(opened_at, :now)
 WHERE store_hash = :store_hash AND service = :service AND account_id = :account_id
RETURNING opened_at;

-- open_breakers --
-- global: the tick asks which services of any store do not answer for a while and nobody was told.
SELECT store_hash, service, account_id, last_error FROM budgets
 WHERE opened_at < :before AND open_until IS NOT NULL AND alarmed_at IS NULL LIMIT 50;

-- is_away --
-- Whether calls to one of these services have been paused since a time that is not too long ago.
SELECT 1 FROM budgets
 WHERE store_hash = :store_hash AND service = ANY(CAST(:services AS text[])) AND open_until IS NOT NULL
   AND opened_at > :since
 LIMIT 1;

-- mark_breaker_alarmed --
UPDATE budgets SET alarmed_at = :now
 WHERE store_hash = :store_hash AND service = :service AND account_id = :account_id AND alarmed_at IS NULL
RETURNING service;

-- settle_breaker --
-- The service answers again; its task has no reason any more.
UPDATE tasks SET done_at = :now
 WHERE store_hash = :store_hash AND kind = 'breaker' AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL;

-- due_sweeps --
-- global: the tick asks which sweeps of any store are due; those of stores that do not work, or whose sweeps run
-- already, stay due and must not crowd out the rest.
SELECT w.store_hash, w.name, w.cursor, w.generation
  FROM sweeps w JOIN stores s ON s.store_hash = w.store_hash AND s.state = 'active'
 WHERE w.due_at <= :now AND NOT w.store_hash = ANY(:besides) ORDER BY w.due_at LIMIT :most;

-- take_sweep --
UPDATE sweeps SET generation = generation + 1, due_at = :next_due
 WHERE store_hash = :store_hash AND name = :name AND generation = :generation
RETURNING generation;

-- finish_sweep --
UPDATE sweeps SET cursor = :cursor, last_run = CAST(:last_run AS jsonb), last_at = :now, due_at = :next_due,
       found = CASE WHEN :missed THEN CAST(:last_run AS jsonb) ELSE found END,
       found_at = CASE WHEN :missed THEN CAST(:now AS timestamptz) ELSE found_at END
 WHERE store_hash = :store_hash AND name = :name AND generation = :generation;

-- add_sweep --
INSERT INTO sweeps (store_hash, name, cursor, due_at) VALUES (:store_hash, :name, :cursor, :due_at)
ON CONFLICT (store_hash, name) DO NOTHING;

-- bring_sweep_forward --
UPDATE sweeps SET due_at = LEAST(due_at, :due_at) WHERE store_hash = :store_hash AND name = :name;

-- known_record_times --
SELECT id, looked_at FROM records
 WHERE store_hash = :store_hash AND kind = :kind AND id = ANY(CAST(:ids AS text[]));

-- beat --
INSERT INTO workers (id, started_at, seen_at, release) VALUES (:id, :now, :now, :release)
ON CONFLICT (id) DO UPDATE SET seen_at = :now;

-- bury_workers --
-- global: workers are not a store's.
DELETE FROM workers WHERE seen_at < :before;

-- fetch_sweep --
SELECT cursor, due_at, last_run, last_at FROM sweeps WHERE store_hash = :store_hash AND name = :name;

-- list_sweeps --
SELECT name, last_run, last_at, found, found_at FROM sweeps WHERE store_hash = :store_hash ORDER BY name;

-- unsealed_audit_stores --
-- global: the worker seals the log of every store that has new lines, since a time that keeps the look short.
SELECT a.store_hash FROM audit_log a
 WHERE a.happened_at >= :since AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.store_hash = a.store_hash AND c.audit_id = a.id)
 GROUP BY a.store_hash LIMIT 50;

-- lock_store --
SELECT store_hash FROM stores WHERE store_hash = :store_hash FOR UPDATE;

-- last_link --
SELECT position, audit_id, chain_hash FROM audit_chain WHERE store_hash = :store_hash ORDER BY position DESC LIMIT 1;

-- unsealed_lines --
SELECT id, happened_at, actor, event, record_kind, record_id, request_id, detail FROM audit_log a
 WHERE a.store_hash = :store_hash AND a.happened_at >= :since
   AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.store_hash = a.store_hash AND c.audit_id = a.id)
 ORDER BY id LIMIT 500;

-- add_link --
INSERT INTO audit_chain (store_hash, position, audit_id, row_sha256, chain_hash, sealed_at)
VALUES (:store_hash, :position, :audit_id, :row_sha256, :chain_hash, :now);

-- clear_queue_log --
-- global: the queue's own log of jobs that ended; our rows are the truth, so a day of it is plenty.
DELETE FROM pgqueuer_log
 WHERE ctid IN (SELECT ctid FROM pgqueuer_log WHERE created < :before LIMIT 20000);

-- clear_queue_statistics --
-- global: the queue's own counts per second.
DELETE FROM pgqueuer_statistics
 WHERE ctid IN (SELECT ctid FROM pgqueuer_statistics WHERE created < :before LIMIT 20000);
