-- The inbox as the web's group commit fills it; one delivery alone is add_delivery.

-- add_deliveries --
-- A whole batch and its looks, as one statement and so one transaction of its own. A key that is known sets its row
-- due again. Rows in the order of their keys, then jobs in the order of theirs, so that two batches at once wait for
-- each other and never deadlock; a key stands in a batch once, with how often it came. The job of a record is that of
-- look_job in bcapp/db/queue.py; one that is queued or picked already is skipped.
WITH kept AS (
INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, body, seen, received_at, due_at)
SELECT d.store_hash, d.key, d.source, d.topic, d.record_kind, d.record_id, d.body, d.seen, d.received_at, d.received_at
  FROM unnest(CAST(:store_hashes AS text[]), CAST(:keys AS text[]), CAST(:sources AS text[]), CAST(:topics AS text[]),
              CAST(:record_kinds AS text[]), CAST(:record_ids AS text[]), CAST(:bodies AS bytea[]),
              CAST(:seen AS integer[]), CAST(:received_at AS timestamptz[]))
       AS d (store_hash, key, source, topic, record_kind, record_id, body, seen, received_at)
 ORDER BY d.store_hash, d.key
ON CONFLICT (store_hash, key) DO UPDATE
   SET seen = deliveries.seen + excluded.seen, done_at = NULL, parked_why = NULL, attempt = 0,
       due_at = CASE WHEN deliveries.done_at IS NULL THEN LEAST(deliveries.due_at, excluded.due_at) ELSE excluded.due_at END
RETURNING store_hash || ':' || record_kind || ':' || record_id AS name, record_kind)
INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, status)
SELECT CASE WHEN r.record_kind = ANY(CAST(:in_thousands AS text[])) THEN CAST(:crowd_priority AS integer) ELSE CAST(:priority AS integer) END,
       CAST(:entrypoint AS text), convert_to(r.name, 'UTF8'), CAST(:entrypoint AS text) || ':' || r.name, 'queued'
  FROM (SELECT DISTINCT name, record_kind FROM kept) AS r
 ORDER BY r.name COLLATE "C"
ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING;
