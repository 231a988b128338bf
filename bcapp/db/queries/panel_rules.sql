-- Rules as the panel reads and writes them. Every save is a version.

-- panel_rules --
-- All rules with their newest definition, and how often they asked (or would have asked) since a moment.
SELECT r.id, r.workflow, r.name, r.mode, r.version, r.position, r.live_since, r.paused_why, r.archived, r.created_at,
       v.definition, v.created_at AS changed_at,
       (SELECT count(*) FROM requests q WHERE q.store_hash = r.store_hash AND q.rule_id = r.id AND q.round = 1
           AND q.created_at >= :since) AS asked,
       (SELECT count(*) FROM records k WHERE k.store_hash = r.store_hash AND k.looked_at >= :since
           AND k.trace @> jsonb_build_array(jsonb_build_object('rule_id', r.id, 'decision', 'would_ask'))) AS would_ask,
       (SELECT count(*) FROM pending_changes c WHERE c.store_hash = r.store_hash AND c.subject = 'rule'
           AND c.subject_id = CAST(r.id AS text) AND c.state = 'waiting') AS waiting_changes
  FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.archived = :archived
 ORDER BY r.position, r.id;

-- panel_rule --
SELECT r.id, r.workflow, r.name, r.mode, r.version, r.live_since, r.paused_why, r.archived, r.created_at,
       v.definition, v.created_at AS changed_at, v.author,
       (SELECT count(*) FROM pending_changes c WHERE c.store_hash = r.store_hash AND c.subject = 'rule'
           AND c.subject_id = CAST(r.id AS text) AND c.state = 'waiting') AS waiting_changes
  FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.id = :id;

-- panel_rule_names --
SELECT id, name, archived FROM rules WHERE store_hash = :store_hash ORDER BY archived, position, id;

-- panel_rule_versions --
SELECT v.version, v.definition, v.author, v.created_at FROM rule_versions v
 WHERE v.store_hash = :store_hash AND v.rule_id = :rule_id ORDER BY v.version DESC LIMIT 100;

-- panel_rule_version --
SELECT definition FROM rule_versions WHERE store_hash = :store_hash AND rule_id = :rule_id AND version = :version;

-- add_rule --
INSERT INTO rules (store_hash, workflow, name, mode, version, position, created_at)
SELECT :store_hash, :workflow, :name, 'off', 1, COALESCE(max(r.position), 0) + 1, :now
  FROM rules r WHERE r.store_hash = :store_hash
RETURNING id;

-- add_rule_version --
INSERT INTO rule_versions (store_hash, rule_id, version, definition, author, created_at)
VALUES (:store_hash, :rule_id, :version, CAST(:definition AS jsonb), :author, :now);

-- raise_rule_version --
-- The rule as it was read: nothing comes back when somebody else saved it meanwhile.
UPDATE rules SET version = version + 1, name = :name
 WHERE store_hash = :store_hash AND id = :id AND version = :version AND NOT archived
RETURNING version;

-- lock_rule_version --
SELECT version FROM rules WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- set_rule_mode --
-- live_since is set when it goes live, and stays what it was while it is live.
UPDATE rules
   SET live_since = CASE WHEN CAST(:mode AS text) = 'live' THEN CASE WHEN mode = 'live' THEN live_since ELSE :now END
                         ELSE NULL END,
       paused_why = CASE WHEN CAST(:mode AS text) = 'live' AND mode = 'live' THEN paused_why ELSE '' END,
       mode = :mode
 WHERE store_hash = :store_hash AND id = :id AND mode <> :mode AND NOT archived
RETURNING id;

-- resume_rule --
UPDATE rules SET paused_why = '' WHERE store_hash = :store_hash AND id = :id AND paused_why <> '' RETURNING id;

-- look_after_pause --
-- "Look at this" again, of every record that the rule left waiting while it was paused, and of those it was paused at:
-- they matched, and were not asked about. One after the other; the tick of the workers picks them up.
INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, received_at, due_at)
SELECT w.store_hash, 'self:' || w.kind || ':' || w.id, 'self', 'look', w.kind, w.id, :now,
       CAST(:now AS timestamptz) + w.place * interval '250 milliseconds'
  FROM (SELECT r.store_hash, r.kind, r.id, row_number() OVER (ORDER BY r.created_at, r.id) AS place
          FROM records r
         WHERE r.store_hash = :store_hash
           AND (r.trace @> CAST(:paused AS jsonb)
                OR (r.trace @> CAST(:asks AS jsonb)
                    AND NOT EXISTS (SELECT FROM requests q WHERE q.store_hash = r.store_hash AND q.record_kind = r.kind
                                       AND q.record_id = r.id AND q.rule_id = :id)))) w
ON CONFLICT (store_hash, key) DO UPDATE
   SET seen = deliveries.seen + 1, done_at = NULL, parked_why = NULL, attempt = 0, due_at = excluded.due_at;

-- archive_rule --
UPDATE rules SET archived = true, mode = 'off', live_since = NULL, paused_why = ''
 WHERE store_hash = :store_hash AND id = :id AND NOT archived
RETURNING id;

-- include_records --
INSERT INTO rule_inclusions (store_hash, rule_id, record_kind, record_id)
SELECT :store_hash, :rule_id, :kind, e.id FROM jsonb_array_elements_text(CAST(:ids AS jsonb)) AS e(id)
ON CONFLICT DO NOTHING;

-- say_looks --
-- "Look at these records", one after the other rather than all at once; the tick of the workers picks them up.
INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, received_at, due_at)
SELECT :store_hash, 'panel:' || CAST(:kind AS text) || ':' || e.id, 'panel', 'look', CAST(:kind AS text), e.id, :now,
       CAST(:now AS timestamptz) + e.place * interval '250 milliseconds'
  FROM jsonb_array_elements_text(CAST(:ids AS jsonb)) WITH ORDINALITY AS e(id, place)
ON CONFLICT (store_hash, key) DO UPDATE
   SET seen = deliveries.seen + 1, done_at = NULL, parked_why = NULL, attempt = 0, due_at = excluded.due_at;

-- panel_backlog --
-- first: how many orders were read when there are more than are counted, else 0.
SELECT state, groups, updated_at,
       CASE WHEN state = 'counted' AND (cursor ->> 'more') = 'true' THEN CAST(cursor ->> 'counted' AS integer) ELSE 0 END AS first
  FROM backlogs WHERE store_hash = :store_hash AND rule_id = :rule_id;

-- begin_backlog --
-- Count anew what exists, unless it is being counted.
INSERT INTO backlogs (store_hash, rule_id, state, updated_at) VALUES (:store_hash, :rule_id, 'counting', :now)
ON CONFLICT (store_hash, rule_id) DO UPDATE SET state = 'counting', cursor = '{}', groups = '[]', updated_at = :now
 WHERE backlogs.state <> 'counting' OR backlogs.updated_at < CAST(:now AS timestamptz) - interval '10 minutes'
RETURNING rule_id;

-- panel_accounts --
SELECT id, name, environment, state, templates FROM signature_accounts WHERE store_hash = :store_hash ORDER BY id;

-- panel_channels --
SELECT id, name, type, status FROM channels WHERE store_hash = :store_hash ORDER BY id;

-- panel_people --
-- Who may be named to sign, with the limits they have.
SELECT p.id, p.name, p.email, p.state,
       (SELECT jsonb_agg(jsonb_build_object('currency', l.currency, 'up_to', CAST(l.up_to AS text)) ORDER BY l.currency)
          FROM approval_limits l WHERE l.store_hash = p.store_hash AND l.person_id = p.id) AS limits
  FROM people p WHERE p.store_hash = :store_hash AND p.state <> 'left' ORDER BY lower(p.name), p.id LIMIT 500;
