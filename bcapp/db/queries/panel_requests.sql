-- What the panel shows of requests and records. Every list is one store's; personal data is searched only when asked.

-- panel_requests --
-- A page of requests, newest first. scope: all | waiting | attention | completed | not_signed | cancelled.
SELECT q.id, q.record_kind, q.record_id, q.purpose, q.rule_id, q.round, q.wanted, q.status, q.bounced, q.simulated,
       q.checked, q.created_at, q.ended_at, q.expires_at, r.label, r.amount, r.currency, h.state AS hold_state,
       ru.name AS rule_name, s.names, s.emails
  FROM requests q
  JOIN records r ON r.store_hash = q.store_hash AND r.kind = q.record_kind AND r.id = q.record_id
  LEFT JOIN holds h ON h.store_hash = q.store_hash AND h.record_kind = q.record_kind AND h.record_id = q.record_id
  LEFT JOIN rules ru ON ru.store_hash = q.store_hash AND ru.id = q.rule_id
  LEFT JOIN LATERAL (SELECT string_agg(g.name, ', ' ORDER BY g.position) AS names,
                            string_agg(g.email, ', ' ORDER BY g.position) AS emails
                       FROM signers g WHERE g.store_hash = q.store_hash AND g.request_id = q.id) s ON true
 WHERE q.store_hash = :store_hash
   AND (CAST(:since AS timestamptz) IS NULL OR q.created_at >= CAST(:since AS timestamptz))
   AND (CAST(:kind AS text) = '' OR q.record_kind = CAST(:kind AS text))
   AND (CAST(:rule_id AS bigint) IS NULL OR q.rule_id = CAST(:rule_id AS bigint))
   AND (CAST(:q AS text) = '' OR q.record_id = CAST(:q AS text) OR CAST(q.id AS text) = CAST(:q AS text)
        OR CAST(q.provider_document AS text) = CAST(:q AS text)
        OR (CAST(:personal AS boolean) AND (strpos(lower(r.label), CAST(:q AS text)) > 0
            OR strpos(lower(COALESCE(s.names, '')), CAST(:q AS text)) > 0
            OR strpos(COALESCE(s.emails, ''), CAST(:q AS text)) > 0)))
   AND CASE CAST(:scope AS text)
         WHEN 'waiting' THEN q.wanted = 'open' AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')
         WHEN 'attention' THEN q.checked = 'conflict' OR (q.wanted = 'open' AND (q.status = 'failed'
              OR (q.bounced AND q.status IN ('sent', 'viewed', 'partly_signed'))))
         WHEN 'completed' THEN q.status = 'completed'
         WHEN 'not_signed' THEN q.status IN ('declined', 'expired', 'failed')
         WHEN 'cancelled' THEN q.status = 'cancelled'
              OR (q.wanted = 'cancel' AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed'))
         ELSE true END
 ORDER BY q.created_at DESC, q.id DESC
 LIMIT :size OFFSET :skip;

-- panel_request_counts --
-- How many requests stand in each scope, under the same search.
SELECT count(*) AS all,
       count(*) FILTER (WHERE q.wanted = 'open' AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed'))
         AS waiting,
       count(*) FILTER (WHERE q.checked = 'conflict' OR (q.wanted = 'open' AND (q.status = 'failed'
              OR (q.bounced AND q.status IN ('sent', 'viewed', 'partly_signed'))))) AS attention,
       count(*) FILTER (WHERE q.status = 'completed') AS completed,
       count(*) FILTER (WHERE q.status IN ('declined', 'expired', 'failed')) AS not_signed,
       count(*) FILTER (WHERE q.status = 'cancelled'
              OR (q.wanted = 'cancel' AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed'))) AS cancelled
  FROM requests q
  JOIN records r ON r.store_hash = q.store_hash AND r.kind = q.record_kind AND r.id = q.record_id
 WHERE q.store_hash = :store_hash
   AND (CAST(:since AS timestamptz) IS NULL OR q.created_at >= CAST(:since AS timestamptz))
   AND (CAST(:kind AS text) = '' OR q.record_kind = CAST(:kind AS text))
   AND (CAST(:rule_id AS bigint) IS NULL OR q.rule_id = CAST(:rule_id AS bigint))
   AND (CAST(:q AS text) = '' OR q.record_id = CAST(:q AS text) OR CAST(q.id AS text) = CAST(:q AS text)
        OR CAST(q.provider_document AS text) = CAST(:q AS text)
        OR (CAST(:personal AS boolean) AND (strpos(lower(r.label), CAST(:q AS text)) > 0
            OR EXISTS (SELECT FROM signers g WHERE g.store_hash = q.store_hash AND g.request_id = q.id
                          AND (strpos(lower(g.name), CAST(:q AS text)) > 0 OR strpos(g.email, CAST(:q AS text)) > 0)))));

-- panel_request --
-- One request with what stands beside it: the record, the rule's version, the agreement, the account.
SELECT q.id, q.workflow, q.rule_id, q.rule_version, q.purpose, q.record_kind, q.record_id, q.round, q.round_why,
       q.fingerprint, q.snapshot, q.wanted, q.wanted_why, q.status, q.status_why, q.checked, q.checked_why, q.bounced,
       q.simulated, q.blocks, q.agreement_id, q.agreement_version, q.language, q.document_language,
       q.binding_id, q.document_sha256, q.provider_document,
       q.provider_status, q.inputs, q.expires_at, q.remind_at, q.reminded, q.created_at, q.sent_at, q.ended_at,
       q.document_fields, r.label, r.amount, r.currency, r.facts, r.trace, r.looked_at, r.gone_since,
       ru.name AS rule_name, rv.definition, a.name AS account_name, a.environment, ag.name AS agreement_name,
       (SELECT count(*) FROM requests o WHERE o.store_hash = q.store_hash AND o.record_kind = q.record_kind
           AND o.record_id = q.record_id AND o.rule_id = q.rule_id AND o.purpose = q.purpose AND o.id > q.id) AS later
  FROM requests q
  JOIN records r ON r.store_hash = q.store_hash AND r.kind = q.record_kind AND r.id = q.record_id
  LEFT JOIN rules ru ON ru.store_hash = q.store_hash AND ru.id = q.rule_id
  LEFT JOIN rule_versions rv ON rv.store_hash = q.store_hash AND rv.rule_id = q.rule_id AND rv.version = q.rule_version
  LEFT JOIN signature_accounts a ON a.store_hash = q.store_hash AND a.id = q.account_id
  LEFT JOIN agreements ag ON ag.store_hash = q.store_hash AND ag.id = q.agreement_id
 WHERE q.store_hash = :store_hash AND q.id = :id;

-- panel_requests_of_record --
SELECT q.id, q.purpose, q.rule_id, q.round, q.wanted, q.status, q.checked, q.bounced, q.simulated, q.blocks,
       q.created_at, ru.name AS rule_name, s.names
  FROM requests q
  LEFT JOIN rules ru ON ru.store_hash = q.store_hash AND ru.id = q.rule_id
  LEFT JOIN LATERAL (SELECT string_agg(g.name, ', ' ORDER BY g.position) AS names
                       FROM signers g WHERE g.store_hash = q.store_hash AND g.request_id = q.id) s ON true
 WHERE q.store_hash = :store_hash AND q.record_kind = :record_kind AND q.record_id = :record_id
 ORDER BY q.created_at DESC, q.id DESC;

-- panel_actions --
-- Actions of a record, newest first; of one request and the record's own when a request is given.
SELECT id, kind, request_id, state, why, attempt, due_at, created_at, started_at, finished_at FROM actions
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND (CAST(:request_id AS bigint) IS NULL OR request_id IS NULL OR request_id = CAST(:request_id AS bigint))
 ORDER BY id DESC LIMIT 100;

-- panel_timeline --
SELECT id, happened_at, actor, event, request_id, detail FROM audit_log
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND (CAST(:request_id AS bigint) IS NULL OR request_id IS NULL OR request_id = CAST(:request_id AS bigint))
 ORDER BY id DESC LIMIT 200;

-- panel_user_names --
-- Everybody who ever was a user, for names beside what they did.
SELECT u.id, COALESCE(NULLIF(p.name, ''), u.email) AS name
  FROM users u LEFT JOIN people p ON p.store_hash = u.store_hash AND p.id = u.person_id
 WHERE u.store_hash = :store_hash;

-- panel_open_commands --
-- Steps that a person pressed and the worker has not carried out yet.
SELECT count(*) FROM deliveries
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND topic = 'command'
   AND done_at IS NULL AND parked_why IS NULL;

-- panel_open_tasks --
SELECT id, kind, text, alarm, created_at FROM tasks
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND done_at IS NULL
 ORDER BY id;

-- note_press --
-- A button's one-time mark. Nothing comes back when the same button was pressed before.
INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, received_at, due_at, done_at)
VALUES (:store_hash, :key, 'panel', 'press', :record_kind, :record_id, :now, :now, :now)
ON CONFLICT (store_hash, key) DO NOTHING
RETURNING key;

-- recent_reminder --
-- Whether this request was reminded, or is about to be, since a moment.
SELECT 1 FROM actions
 WHERE store_hash = :store_hash AND request_id = :request_id AND kind = 'resend_request'
   AND (created_at > :since OR state IN ('pending', 'started')) LIMIT 1;

-- panel_data_key --
SELECT data_key FROM stores WHERE store_hash = :store_hash;

-- document_of_request --
-- The hash of one part of a request's documents: the one kept as evidence, else the one that was sent.
SELECT COALESCE((SELECT e.sha256 FROM evidence e WHERE e.store_hash = q.store_hash AND e.request_id = q.id
                    AND e.part = :part),
                CASE WHEN CAST(:part AS text) = 'sent_document' THEN q.document_sha256 END) AS sha256,
       q.record_kind, q.record_id, q.purpose
  FROM requests q WHERE q.store_hash = :store_hash AND q.id = :id;

-- panel_records --
-- A page of the records of one kind that were looked at. facts: without what is material. scope: all | held | let_go | released | none |
-- unsigned: it has left the store (shipped: the statuses that say so) without a valid signature that a rule wanted.
SELECT r.id, r.kind, r.label, r.amount, r.currency, r.gone_since, r.looked_at, r.created_at, r.facts - 'snapshot' AS facts,
       h.state AS hold_state, h.state_why AS hold_why, h.wanted_at,
       (SELECT count(*) FROM requests q WHERE q.store_hash = r.store_hash AND q.record_kind = r.kind AND q.record_id = r.id)
         AS requests,
       (SELECT count(*) FROM requests q WHERE q.store_hash = r.store_hash AND q.record_kind = r.kind AND q.record_id = r.id
           AND q.wanted = 'open' AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')) AS waiting
  FROM records r
  LEFT JOIN holds h ON h.store_hash = r.store_hash AND h.record_kind = r.kind AND h.record_id = r.id
 WHERE r.store_hash = :store_hash AND r.kind = :kind
   AND (CAST(:q AS text) = '' OR r.id = CAST(:q AS text)
        OR (CAST(:personal AS boolean) AND strpos(lower(r.label), CAST(:q AS text)) > 0))
   AND CASE CAST(:scope AS text)
         WHEN 'held' THEN h.state IN ('holding', 'held', 'kept', 'joined', 'releasing')
         WHEN 'let_go' THEN h.state IN ('refused', 'bypassed', 'overridden')
         WHEN 'released' THEN h.state = 'released'
         WHEN 'none' THEN h.state IS NULL OR h.state = 'none'
         WHEN 'unsigned' THEN h.state IS NOT NULL AND CAST(r.facts ->> 'status_id' AS integer) = ANY(CAST(:shipped AS integer[]))
                          AND lacks_signature(r.store_hash, r.kind, r.id, h.state)
         ELSE true END
 ORDER BY r.looked_at DESC NULLS LAST, r.created_at DESC, r.id DESC
 LIMIT :size OFFSET :skip;

-- panel_record_counts --
SELECT count(*) AS all,
       count(*) FILTER (WHERE h.state IN ('holding', 'held', 'kept', 'joined', 'releasing')) AS held,
       count(*) FILTER (WHERE h.state IN ('refused', 'bypassed', 'overridden')) AS let_go,
       count(*) FILTER (WHERE h.state = 'released') AS released,
       count(*) FILTER (WHERE h.state IS NULL OR h.state = 'none') AS none,
       count(*) FILTER (WHERE h.state IS NOT NULL AND CAST(r.facts ->> 'status_id' AS integer) = ANY(CAST(:shipped AS integer[]))
                          AND lacks_signature(r.store_hash, r.kind, r.id, h.state)) AS unsigned
  FROM records r
  LEFT JOIN holds h ON h.store_hash = r.store_hash AND h.record_kind = r.kind AND h.record_id = r.id
 WHERE r.store_hash = :store_hash AND r.kind = :kind
   AND (CAST(:q AS text) = '' OR r.id = CAST(:q AS text)
        OR (CAST(:personal AS boolean) AND strpos(lower(r.label), CAST(:q AS text)) > 0));

-- panel_hold --
SELECT method, state, state_why, found, left_as, blocking, wanted_at, held_at, opened_at, exposed_seconds, kept_by, kept_at
  FROM holds WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id;
