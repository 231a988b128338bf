-- Business calendars, and the escalation steps of sent requests.

-- list_calendars --
-- As they stand, by name, with who saved the newest version.
SELECT c.id, c.name, c.version, v.weekdays, v.holidays, v.author, v.created_at AS saved_at,
       (SELECT count(*) FROM rules r
          JOIN rule_versions rv ON rv.store_hash = r.store_hash AND rv.rule_id = r.id AND rv.version = r.version
         WHERE r.store_hash = c.store_hash AND NOT r.archived
           AND CAST(rv.definition->>'calendar_id' AS bigint) = c.id) AS rules
  FROM calendars c
  JOIN calendar_versions v ON v.store_hash = c.store_hash AND v.calendar_id = c.id AND v.version = c.version
 WHERE c.store_hash = :store_hash
 ORDER BY lower(c.name), c.id;

-- calendar_history --
SELECT version, weekdays, holidays, author, created_at FROM calendar_versions
 WHERE store_hash = :store_hash AND calendar_id = :id ORDER BY version DESC LIMIT 50;

-- add_calendar --
INSERT INTO calendars (store_hash, name, version, created_at) VALUES (:store_hash, :name, 1, :now) RETURNING id;

-- raise_calendar --
-- Nothing comes back when somebody else saved a version meanwhile.
UPDATE calendars SET version = version + 1, name = :name
 WHERE store_hash = :store_hash AND id = :id AND version = :version
RETURNING version;

-- add_calendar_version --
INSERT INTO calendar_versions (store_hash, calendar_id, version, weekdays, holidays, author, created_at)
VALUES (:store_hash, :id, :version, CAST(:weekdays AS integer[]), CAST(:holidays AS date[]), :author, :now);

-- add_step --
INSERT INTO request_steps (store_hash, request_id, position, kind, person_id, follows, after_days, working_days, counted_from,
       local_date, local_time, zone, calendar_id, calendar_version, due_at)
VALUES (:store_hash, :request_id, :position, :kind, :person_id, :follows, :after_days, :working_days, :counted_from,
       :local_date, :local_time, :zone, :calendar_id, :calendar_version, :due_at)
ON CONFLICT DO NOTHING;

-- steps_of_request --
SELECT * FROM request_steps WHERE store_hash = :store_hash AND request_id = :request_id ORDER BY due_at, position;

-- take_step --
-- Nothing comes back when it was taken before.
UPDATE request_steps SET done_at = :now, outcome = :how
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND done_at IS NULL
RETURNING position;

-- end_steps --
-- What is still open does not come any more.
UPDATE request_steps SET done_at = :now, outcome = :how
 WHERE store_hash = :store_hash AND request_id = :request_id AND done_at IS NULL;

-- carry_steps --
-- The open steps of a request go on with its next round, at the times that were meant.
INSERT INTO request_steps (store_hash, request_id, position, kind, person_id, follows, after_days, working_days, counted_from,
       local_date, local_time, zone, calendar_id, calendar_version, due_at)
SELECT store_hash, CAST(:to_id AS bigint), position, kind, person_id, follows, after_days, working_days, counted_from,
       local_date, local_time, zone, calendar_id, calendar_version, due_at
  FROM request_steps
 WHERE store_hash = :store_hash AND request_id = CAST(:from_id AS bigint) AND done_at IS NULL;

-- rest_reminders --
-- A request with steps is reminded by these, not by the usual days.
UPDATE requests SET remind_at = NULL WHERE store_hash = :store_hash AND id = :id;

-- open_steps --
-- Steps that may still come, of all requests or of one. calendar_id: only those counted by it. The requests are locked,
-- as whoever takes or moves a step has them: one order for everybody.
SELECT st.* FROM request_steps st
  JOIN requests q ON q.store_hash = st.store_hash AND q.id = st.request_id
 WHERE st.store_hash = :store_hash AND st.done_at IS NULL
   AND q.wanted = 'open' AND q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')
   AND (CAST(:calendar_id AS bigint) IS NULL OR st.calendar_id = CAST(:calendar_id AS bigint))
   AND (CAST(:request_id AS bigint) IS NULL OR st.request_id = CAST(:request_id AS bigint))
 ORDER BY st.request_id, st.position
   FOR UPDATE OF q;

-- count_step_again --
UPDATE request_steps
   SET counted_from = :counted_from, local_date = :local_date, zone = :zone, calendar_version = :calendar_version,
       due_at = :due_at
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND done_at IS NULL;

-- read_when_step_is_due --
-- The request is read when its next step is due, if not before.
UPDATE requests q SET read_due_at = LEAST(q.read_due_at, st.due_at)
  FROM (SELECT min(due_at) AS due_at FROM request_steps
         WHERE store_hash = :store_hash AND request_id = :id AND done_at IS NULL AND due_at > :now) st
 WHERE q.store_hash = :store_hash AND q.id = :id AND q.read_due_at IS NOT NULL AND st.due_at IS NOT NULL;

-- last_round --
SELECT COALESCE(max(round), 0) FROM requests
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id AND rule_id = :rule_id
   AND purpose = :purpose;

-- directory_users --
SELECT id, person_id FROM users WHERE store_hash = :store_hash AND person_id IS NOT NULL;

-- save_profile --
-- What the store says of itself now; what was there before comes back.
UPDATE stores s SET profile = CAST(:profile AS jsonb)
  FROM (SELECT store_hash, profile FROM stores WHERE store_hash = :store_hash FOR UPDATE) old
 WHERE s.store_hash = :store_hash AND old.store_hash = s.store_hash
RETURNING old.profile;

-- panel_steps --
SELECT st.position, st.kind, st.follows, st.local_date, st.local_time, st.zone, st.due_at, st.done_at, st.outcome,
       p.name AS person
  FROM request_steps st LEFT JOIN people p ON p.store_hash = st.store_hash AND p.id = st.person_id
 WHERE st.store_hash = :store_hash AND st.request_id = :request_id
 ORDER BY st.due_at, st.position;

-- panel_open_step_count --
SELECT count(*) FROM request_steps st
  JOIN requests q ON q.store_hash = st.store_hash AND q.id = st.request_id
 WHERE st.store_hash = :store_hash AND st.calendar_id = :calendar_id AND st.done_at IS NULL AND q.wanted = 'open';
