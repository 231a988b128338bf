-- What an operator asks of one store, beside what its first page shows.

-- doctor_counts --
-- What waits, what is due now, and what a person has to look at.
SELECT (SELECT count(*) FROM deliveries d WHERE d.store_hash = :store_hash AND d.done_at IS NULL
           AND d.parked_why IS NULL AND d.due_at <= :now) AS deliveries_due,
       (SELECT count(*) FROM deliveries d WHERE d.store_hash = :store_hash AND d.done_at IS NULL
           AND d.parked_why IS NOT NULL) AS deliveries_parked,
       (SELECT count(*) FROM actions a WHERE a.store_hash = :store_hash AND a.state IN ('pending', 'started')
           AND a.due_at <= :now) AS actions_due,
       (SELECT count(*) FROM actions a WHERE a.store_hash = :store_hash AND a.state IN ('pending', 'started')) AS actions_open,
       (SELECT count(*) FROM actions a WHERE a.store_hash = :store_hash AND a.state = 'failed'
           AND a.finished_at > CAST(:now AS timestamptz) - interval '7 days') AS actions_failed,
       (SELECT count(*) FROM tasks t WHERE t.store_hash = :store_hash AND t.done_at IS NULL) AS tasks_open,
       (SELECT count(*) FROM tasks t WHERE t.store_hash = :store_hash AND t.done_at IS NULL AND t.alarm) AS alarms_open,
       (SELECT count(*) FROM holds h WHERE h.store_hash = :store_hash AND h.state = 'holding') AS holds_waiting;

-- doctor_account_named --
-- The oldest account of that name; null without one.
SELECT min(id) FROM signature_accounts WHERE store_hash = :store_hash AND name = :name;

-- doctor_sweeps --
SELECT name, due_at, last_at FROM sweeps WHERE store_hash = :store_hash ORDER BY name;
