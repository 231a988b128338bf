-- count_refusals --
-- global: deliveries of stores that we do not know; nothing else of them is kept.
INSERT INTO refusals (name, day, count) VALUES (:name, :day, :count)
ON CONFLICT (name, day) DO UPDATE SET count = refusals.count + EXCLUDED.count;

-- count_for_store --
-- What was refused or odd about a known store's deliveries. Nothing is counted for a store that went away meanwhile.
INSERT INTO counters (store_hash, name, day, count)
SELECT st.store_hash, :name, :day, :count FROM stores st WHERE st.store_hash = :store_hash
ON CONFLICT (store_hash, name, day) DO UPDATE SET count = counters.count + EXCLUDED.count;

-- list_counters --
-- Counts of a store since a day, newest first; for the health page.
SELECT name, day, count FROM counters WHERE store_hash = :store_hash AND day >= :since ORDER BY day DESC, name;

-- has_tables --
-- global: whether the database was ever brought to a release.
SELECT to_regclass('stores') IS NOT NULL;

-- ping --
-- global: the database answers.
SELECT 1;

-- count_alive_workers --
-- global: workers that were seen lately.
SELECT count(*) FROM workers WHERE seen_at > :since;

-- measure_queues --
-- global: how much waits and since when, over all stores. Ages in seconds, 0 when nothing is due.
SELECT 'deliveries' AS queue, count(DISTINCT store_hash) AS stores, count(*) FILTER (WHERE parked_why IS NULL) AS open,
       count(*) FILTER (WHERE parked_why IS NULL AND due_at <= :now) AS due,
       count(*) FILTER (WHERE parked_why IS NOT NULL) AS parked,
       COALESCE(EXTRACT(EPOCH FROM CAST(:now AS timestamptz) - min(due_at) FILTER (WHERE parked_why IS NULL AND due_at <= :now)), 0)
           AS oldest_seconds
  FROM deliveries WHERE done_at IS NULL
UNION ALL
SELECT 'actions', count(DISTINCT store_hash), count(*), count(*) FILTER (WHERE due_at <= :now), 0,
       COALESCE(EXTRACT(EPOCH FROM CAST(:now AS timestamptz) - min(due_at) FILTER (WHERE due_at <= :now)), 0)
  FROM actions WHERE state IN ('pending', 'started');

-- measure_states --
-- global: how many of what stand in which state.
SELECT 'holds' AS what, state, count(*) AS count, count(DISTINCT store_hash) AS stores FROM holds GROUP BY state
UNION ALL
SELECT 'requests', status, count(*), count(DISTINCT store_hash) FROM requests WHERE NOT simulated GROUP BY status
UNION ALL
SELECT 'stores', state, count(*), count(DISTINCT store_hash) FROM stores GROUP BY state
UNION ALL
SELECT 'actions_needing_a_person', state, count(*), count(DISTINCT store_hash) FROM actions WHERE state IN ('conflict', 'failed') GROUP BY state
UNION ALL
SELECT 'tasks', CASE WHEN alarm THEN 'alarm' ELSE 'task' END, count(*), count(DISTINCT store_hash) FROM tasks WHERE done_at IS NULL GROUP BY 2
UNION ALL
SELECT 'breakers', 'open', count(*), count(DISTINCT store_hash) FROM budgets WHERE open_until > :now;
