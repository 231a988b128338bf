-- Putting jobs into PgQueuer's table. Its own enqueue also writes a log row per job, which nobody here reads, and asks
-- for the ids, at several times the cost. A test compares what is left in the table.

-- queue_jobs --
-- global: PgQueuer's own table. A key that is queued or picked already is skipped; in the order of the keys, so that
-- two transactions at once wait for each other and never deadlock.
INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, status)
SELECT j.priority, j.entrypoint, j.payload, j.dedupe_key, 'queued'
  FROM unnest(CAST(:priorities AS integer[]), CAST(:entrypoints AS text[]), CAST(:payloads AS bytea[]),
              CAST(:dedupe_keys AS text[])) AS j (priority, entrypoint, payload, dedupe_key)
 ORDER BY j.dedupe_key COLLATE "C"
ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING;
