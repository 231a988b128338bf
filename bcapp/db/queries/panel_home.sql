-- What the first page shows: tasks, figures, health, first steps, what happened lately.

-- panel_list_open_tasks --
-- Alarms first, then the oldest; what is only told comes last, so that it crowds out nothing that has to be decided.
SELECT t.id, t.kind, t.record_kind, t.record_id, t.request_id, t.action_id, t.text, t.alarm, t.created_at
  FROM tasks t
 WHERE t.store_hash = :store_hash AND t.done_at IS NULL
 ORDER BY t.alarm DESC, (t.kind = 'change_applied'), t.created_at, t.id LIMIT :most;

-- panel_finish_task --
UPDATE tasks SET done_at = :now, done_by = :done_by
 WHERE store_hash = :store_hash AND id = :id AND done_at IS NULL
RETURNING id, kind, record_kind, record_id, request_id;

-- panel_home_figures --
-- Simulated requests are none. The median is null when nothing was signed in the time.
SELECT (SELECT count(*) FROM requests q WHERE q.store_hash = :store_hash AND NOT q.simulated AND q.wanted = 'open'
           AND q.status IN ('queued', 'sent', 'viewed', 'partly_signed')) AS waiting,
       (SELECT count(*) FROM requests q WHERE q.store_hash = :store_hash AND NOT q.simulated AND q.status = 'completed'
           AND q.ended_at > :since) AS signed,
       (SELECT CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM q.ended_at - q.sent_at)) AS bigint)
          FROM requests q WHERE q.store_hash = :store_hash AND NOT q.simulated AND q.status = 'completed'
           AND q.ended_at > :since AND q.sent_at IS NOT NULL) AS median_seconds,
       (SELECT count(*) FROM holds h WHERE h.store_hash = :store_hash
           AND h.state IN ('holding', 'held', 'releasing', 'kept')) AS on_hold;

-- panel_signed_by_day --
SELECT CAST(ended_at AT TIME ZONE 'UTC' AS date) AS day, count(*) AS count FROM requests
 WHERE store_hash = :store_hash AND NOT simulated AND status = 'completed' AND ended_at > :since
 GROUP BY 1 ORDER BY 1;

-- panel_money_on_hold --
-- Per currency, the largest first.
SELECT r.currency, sum(r.amount) AS amount FROM holds h
  JOIN records r ON r.store_hash = h.store_hash AND r.kind = h.record_kind AND r.id = h.record_id
 WHERE h.store_hash = :store_hash AND h.state IN ('holding', 'held', 'releasing', 'kept')
   AND r.amount IS NOT NULL AND r.currency IS NOT NULL
 GROUP BY r.currency ORDER BY 2 DESC;

-- panel_first_steps --
SELECT (SELECT count(*) FROM signature_accounts a WHERE a.store_hash = :store_hash) AS accounts,
       (SELECT count(*) FROM signature_accounts a WHERE a.store_hash = :store_hash AND a.state = 'working') AS working_accounts,
       (SELECT count(*) FROM agreements g WHERE g.store_hash = :store_hash AND NOT g.archived AND g.version > 0) AS agreements,
       (SELECT count(*) FROM rules r WHERE r.store_hash = :store_hash AND NOT r.archived) AS rules,
       (SELECT count(*) FROM rules r WHERE r.store_hash = :store_hash AND NOT r.archived AND r.mode = 'live') AS live_rules;

-- panel_health_of_store --
-- workers_alive is global: workers serve every store.
SELECT (SELECT max(d.received_at) FROM deliveries d
         WHERE d.store_hash = :store_hash AND d.source = 'bigcommerce') AS last_webhook,
       (SELECT count(*) FROM hooks k WHERE k.store_hash = :store_hash) AS hooks,
       (SELECT count(*) FROM hooks k WHERE k.store_hash = :store_hash AND NOT k.is_active) AS hooks_off,
       (SELECT max(k.checked_at) FROM hooks k WHERE k.store_hash = :store_hash) AS hooks_checked_at,
       (SELECT count(*) FROM workers w WHERE w.seen_at > :alive_since) AS workers_alive,
       (SELECT count(*) FROM deliveries d WHERE d.store_hash = :store_hash AND d.done_at IS NULL
           AND d.parked_why IS NOT NULL) AS parked,
       (SELECT min(d.due_at) FROM deliveries d WHERE d.store_hash = :store_hash AND d.done_at IS NULL
           AND d.parked_why IS NULL AND d.due_at < :late_since) AS late_since;

-- panel_open_breakers --
SELECT b.service, b.account_id, b.open_until, b.opened_at, b.last_error, COALESCE(a.name, '') AS account_name
  FROM budgets b LEFT JOIN signature_accounts a ON a.store_hash = b.store_hash AND a.id = b.account_id
 WHERE b.store_hash = :store_hash AND b.open_until > :now
 ORDER BY b.service, b.account_id;

-- panel_list_parked --
-- Records whose look raised; the rest went on without them.
SELECT record_kind, record_id, count(*) AS count, min(received_at) AS since, max(parked_why) AS why
  FROM deliveries
 WHERE store_hash = :store_hash AND done_at IS NULL AND parked_why IS NOT NULL
 GROUP BY record_kind, record_id ORDER BY min(received_at) LIMIT :most;

-- panel_unpark_deliveries --
-- A person asks for another look.
UPDATE deliveries SET parked_why = NULL, attempt = 0, due_at = :now
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND done_at IS NULL AND parked_why IS NOT NULL
RETURNING key;

-- panel_recent_audit_lines --
SELECT l.id, l.happened_at, l.actor, l.event, l.record_kind, l.record_id, l.request_id, l.detail
  FROM audit_log l WHERE l.store_hash = :store_hash
 ORDER BY l.id DESC LIMIT :most;
