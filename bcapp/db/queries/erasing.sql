-- erasing_person --
SELECT id, name FROM people WHERE store_hash = :store_hash AND email = :email;

-- erasing_user --
-- The control-panel user with this address, if any.
SELECT id, state FROM users WHERE store_hash = :store_hash AND lower(email) = :email ORDER BY state LIMIT 1;

-- erasing_stands_in --
SELECT name FROM people WHERE store_hash = :store_hash AND deputy_id = :person_id AND state <> 'left' ORDER BY id LIMIT 1;

-- erasing_changes --
-- A change that waits about this person; its payload is sealed and may hold the address.
SELECT count(*) FROM pending_changes
 WHERE store_hash = :store_hash AND state = 'waiting' AND subject IN ('approver', 'limit')
   AND split_part(subject_id, ':', 1) = CAST(CAST(:person_id AS bigint) AS text);

-- erasing_live_rules --
SELECT r.name, v.definition FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND NOT r.archived AND r.mode = 'live' ORDER BY r.id;

-- erasing_rules_with_address --
-- Rules whose own conditions name the address: they are the merchant's words, and are changed by the merchant.
SELECT DISTINCT r.name FROM rules r JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id
 WHERE r.store_hash = :store_hash AND CAST(v.definition AS text) ~* CAST(:pattern AS text) ORDER BY r.name;

-- erasing_requests --
-- Requests that this person was to sign, or whose record is theirs. mine: they are a signer of the buyer's document.
SELECT q.id, q.record_kind, q.record_id, q.status, q.snapshot, q.inputs, q.purpose,
       COALESCE(s.mine, false) AND q.purpose = 'customer' AS mine, COALESCE(s.names, '{}') AS names,
       q.status IN ('draft', 'queued', 'sent', 'viewed', 'partly_signed')
       OR (q.status = 'completed' AND q.checked IN ('', 'conflict') AND NOT q.simulated) AS is_open,
       about.them AS about
  FROM requests q
  LEFT JOIN LATERAL (SELECT true AS mine,
                            array_agg(s.name) FILTER (WHERE s.forwarded_to <> :email OR s.email = :email) AS names
                       FROM signers s
                      WHERE s.store_hash = q.store_hash AND s.request_id = q.id
                        AND (:email IN (s.email, s.mended_from, s.mend_to, s.forwarded_to)
                             OR s.person_id = CAST(:person_id AS bigint))
                     HAVING count(*) > 0) s ON true
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM jsonb_path_query(q.snapshot, '$.** ? (@.type() == "string")') v
                                      WHERE lower(btrim(v #>> '{}')) = :email) AS them) about
 WHERE q.store_hash = :store_hash AND (s.mine OR about.them) ORDER BY q.id;

-- erasing_records --
-- Records that name this person, or whose document they were to sign.
SELECT r.kind, r.id, r.facts FROM records r
 WHERE r.store_hash = :store_hash
   AND ((r.kind, r.id) IN (SELECT m.kind, m.id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id))
        OR r.label ~* CAST(:pattern AS text)
        OR EXISTS (SELECT FROM jsonb_path_query(r.facts, '$.** ? (@.type() == "string")') v
                    WHERE lower(btrim(v #>> '{}')) = :email));

-- erase_records --
WITH done AS (
    UPDATE records SET label = initcap(kind) || ' ' || id, facts = '{}', trace = '[]'
     WHERE store_hash = :store_hash
       AND (kind, id) IN (SELECT m.kind, m.id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id))
       AND (facts <> '{}' OR trace <> '[]' OR label <> initcap(kind) || ' ' || id)
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_past_records --
WITH done AS (
    DELETE FROM past_records p
     WHERE p.store_hash = :store_hash
       AND ((p.kind, p.id) IN (SELECT m.kind, m.id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id))
            OR lower(p.customer) = :email OR p.label ~* CAST(:pattern AS text)
            OR EXISTS (SELECT FROM jsonb_path_query(p.facts, '$.** ? (@.type() == "string")') v
                        WHERE lower(btrim(v #>> '{}')) = :email))
    RETURNING p.kind, p.id)
SELECT kind, id FROM done;

-- erase_decisions --
WITH done AS (
    DELETE FROM decisions d
     WHERE d.store_hash = :store_hash
       AND ((d.record_kind, d.record_id) IN (SELECT m.kind, m.id
                                               FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id))
            OR CAST(d.traces AS text) ~* CAST(:pattern AS text))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_tryouts --
-- Tries list the newest records that they looked at, each by its label.
WITH done AS (
    DELETE FROM tryouts t
     WHERE t.store_hash = :store_hash
       AND (concat(t.tally, t.cursor, t.definition) ~* CAST(:pattern AS text)
            OR (CAST(:names AS text) <> '' AND concat(t.tally, t.cursor) ~* CAST(:names AS text)))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_signers --
-- Whom they forwarded to is somebody else, and stays.
WITH done AS (
    UPDATE signers s
       SET name = CASE WHEN s.forwarded_to = :email AND s.email <> :email THEN s.name ELSE CAST(:mark AS text) END,
           email = CASE WHEN s.forwarded_to = :email AND s.email <> :email THEN s.email ELSE CAST(:mark AS text) END,
           reason = '', mended_from = '', mend_to = '',
           forwarded_to = CASE WHEN s.forwarded_to = :email THEN CAST(:mark AS text) ELSE s.forwarded_to END
     WHERE s.store_hash = :store_hash AND s.email <> CAST(:mark AS text)
       AND (:email IN (s.email, s.mended_from, s.mend_to, s.forwarded_to) OR s.person_id = CAST(:person_id AS bigint))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_request --
UPDATE requests SET snapshot = CAST(:snapshot AS jsonb), inputs = CAST(:inputs AS jsonb)
 WHERE store_hash = :store_hash AND id = :id;

-- erase_person --
UPDATE people SET name = CAST(:mark AS text), email = CAST(:mark AS text) || '-' || id, state = 'left', deputy_id = NULL, deputy_from = NULL,
       deputy_until = NULL
 WHERE store_hash = :store_hash AND id = :person_id;

-- erase_limits --
DELETE FROM approval_limits WHERE store_hash = :store_hash AND person_id = :person_id;

-- erase_user --
UPDATE users SET email = CAST(:mark AS text) || '-' || id WHERE store_hash = :store_hash AND id = :id;

-- erase_acceptances --
-- The keyed digest of a guest's address stays: it proves that they signed, and names nobody.
WITH done AS (
    UPDATE acceptances a SET label = ''
     WHERE a.store_hash = :store_hash AND a.label <> ''
       AND (a.label ~* CAST(:pattern AS text) OR (a.party_kind = 'email' AND a.party_id = :digest)
            OR (a.party_kind = 'customer' AND a.party_id = ANY(CAST(:customers AS text[])))
            OR a.request_id = ANY(CAST(:requests AS bigint[])))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_exemptions --
WITH done AS (
    UPDATE exemptions e SET label = ''
     WHERE e.store_hash = :store_hash AND e.label <> ''
       AND (e.label ~* CAST(:pattern AS text)
            OR (e.party_kind = 'customer' AND e.party_id = ANY(CAST(:customers AS text[]))))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_bindings --
WITH done AS (
    UPDATE agreement_bindings b SET label = ''
     WHERE b.store_hash = :store_hash AND b.label <> ''
       AND (b.label ~* CAST(:pattern AS text)
            OR (b.party_kind = 'customer' AND b.party_id = ANY(CAST(:customers AS text[]))))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_import_rows --
WITH done AS (
    DELETE FROM import_rows i
     WHERE i.store_hash = :store_hash AND concat(i.given, i.found, i.sentence) ~* CAST(:pattern AS text)
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_in_tasks --
-- The address everywhere; the name only where the task is about this person's records.
WITH done AS (
    UPDATE tasks t SET text = regexp_replace(t.text, CAST(:all AS text), CAST(:mark AS text), 'gi')
     WHERE t.store_hash = :store_hash AND t.text ~* CAST(:all AS text)
       AND (t.text ~* CAST(:pattern AS text) OR t.request_id = ANY(CAST(:requests AS bigint[]))
            OR (t.record_kind, t.record_id) IN (SELECT m.kind, m.id
                                                  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id)))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_in_requests --
WITH done AS (
    UPDATE requests q
       SET round_why = regexp_replace(q.round_why, CAST(:all AS text), CAST(:mark AS text), 'gi'),
           wanted_why = regexp_replace(q.wanted_why, CAST(:all AS text), CAST(:mark AS text), 'gi'),
           status_why = regexp_replace(q.status_why, CAST(:all AS text), CAST(:mark AS text), 'gi'),
           checked_why = regexp_replace(q.checked_why, CAST(:all AS text), CAST(:mark AS text), 'gi')
     WHERE q.store_hash = :store_hash
       AND concat_ws(' ', q.round_why, q.wanted_why, q.status_why, q.checked_why) ~* CAST(:all AS text)
       AND (concat_ws(' ', q.round_why, q.wanted_why, q.status_why, q.checked_why) ~* CAST(:pattern AS text)
            OR q.id = ANY(CAST(:requests AS bigint[])))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_return_asks --
-- Who asked for the form of orders that name this person. What came of it is a case.
WITH done AS (
    DELETE FROM return_asks a
     WHERE a.store_hash = :store_hash
       AND CAST(a.order_id AS text) IN (SELECT m.id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id)
                                         WHERE m.kind = 'order')
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_outside --
-- Documents signed without us. A suggestion is never made again; what was linked keeps its PDF, as evidence does.
WITH done AS (
    UPDATE outside_documents d
       SET state = CASE WHEN d.state = 'suggested' THEN 'dismissed' ELSE d.state END,
           name = CASE WHEN d.state = 'suggested' THEN ''
                       ELSE regexp_replace(d.name, CAST(:all AS text), CAST(:mark AS text), 'gi') END,
           signers = CASE WHEN d.state = 'suggested' THEN '[]' ELSE COALESCE(
               (SELECT jsonb_agg(s) FROM jsonb_array_elements(d.signers) s WHERE s ->> 'email' <> :email), '[]') END
     WHERE d.store_hash = :store_hash
       AND (d.signers @> jsonb_build_array(jsonb_build_object('email', CAST(:email AS text)))
            OR d.name ~* CAST(:pattern AS text)
            OR d.name ~* CAST(:all AS text) AND (d.record_kind, d.record_id) IN (
                   SELECT m.kind, m.id FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id)))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_in_actions --
WITH done AS (
    UPDATE actions a SET why = regexp_replace(a.why, CAST(:all AS text), CAST(:mark AS text), 'gi')
     WHERE a.store_hash = :store_hash AND a.why ~* CAST(:all AS text)
       AND (a.why ~* CAST(:pattern AS text)
            OR (a.record_kind, a.record_id) IN (SELECT m.kind, m.id
                                                  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id)))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_in_holds --
WITH done AS (
    UPDATE holds h SET state_why = regexp_replace(h.state_why, CAST(:all AS text), CAST(:mark AS text), 'gi')
     WHERE h.store_hash = :store_hash AND h.state_why ~* CAST(:all AS text)
       AND (h.state_why ~* CAST(:pattern AS text)
            OR (h.record_kind, h.record_id) IN (SELECT m.kind, m.id
                                                  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id)))
    RETURNING 1)
SELECT count(*) FROM done;

-- erase_in_reasons --
-- What people typed when they let somebody off, took an acceptance back, declined, or asked for a change.
WITH let_off AS (
    UPDATE exemptions SET why = regexp_replace(why, CAST(:pattern AS text), CAST(:mark AS text), 'gi'),
           ended_why = regexp_replace(ended_why, CAST(:pattern AS text), CAST(:mark AS text), 'gi')
     WHERE store_hash = :store_hash AND concat_ws(' ', why, ended_why) ~* CAST(:pattern AS text) RETURNING 1
), revoked AS (
    UPDATE acceptances SET revoked_why = regexp_replace(revoked_why, CAST(:pattern AS text), CAST(:mark AS text), 'gi')
     WHERE store_hash = :store_hash AND revoked_why ~* CAST(:pattern AS text) RETURNING 1
), typed AS (
    UPDATE signers SET reason = regexp_replace(reason, CAST(:pattern AS text), CAST(:mark AS text), 'gi')
     WHERE store_hash = :store_hash AND reason ~* CAST(:pattern AS text) RETURNING 1
), asked AS (
    UPDATE pending_changes SET summary = regexp_replace(summary, CAST(:pattern AS text), CAST(:mark AS text), 'gi')
     WHERE store_hash = :store_hash AND summary ~* CAST(:pattern AS text) RETURNING 1
), of_cases AS (
    UPDATE cases SET state_why = regexp_replace(state_why, CAST(:pattern AS text), CAST(:mark AS text), 'gi')
     WHERE store_hash = :store_hash AND state_why ~* CAST(:pattern AS text) RETURNING 1
), of_registrations AS (
    UPDATE registrations SET state_why = regexp_replace(state_why, CAST(:pattern AS text), CAST(:mark AS text), 'gi')
     WHERE store_hash = :store_hash AND state_why ~* CAST(:pattern AS text) RETURNING 1
)
SELECT (SELECT count(*) FROM let_off) + (SELECT count(*) FROM revoked) + (SELECT count(*) FROM typed)
       + (SELECT count(*) FROM asked) + (SELECT count(*) FROM of_cases) + (SELECT count(*) FROM of_registrations);

-- erasing_kept --
-- Signed requests whose documents stay.
SELECT count(DISTINCT request_id) FROM evidence
 WHERE store_hash = :store_hash AND request_id = ANY(CAST(:requests AS bigint[]));
