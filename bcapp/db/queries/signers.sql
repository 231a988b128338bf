-- Signers' pages, their questions, and our mails to them.

-- add_sign_link --
INSERT INTO sign_links (store_hash, digest, request_id, position, made_at)
VALUES (:store_hash, :digest, :request_id, :position, :now);

-- fetch_sign_link --
SELECT request_id, position FROM sign_links WHERE store_hash = :store_hash AND digest = :digest;

-- signer_page --
-- What a signer's page shows besides the request itself.
SELECT q.document_language, q.sent_at, q.ended_at, q.resting_since,
       COALESCE(t.title, b.title, a.name, '') AS title, r.name AS rule_name,
       EXISTS (SELECT 1 FROM requests n
                WHERE n.store_hash = q.store_hash AND n.record_kind = q.record_kind AND n.record_id = q.record_id
                  AND n.rule_id = q.rule_id AND n.purpose = q.purpose AND n.round > q.round) AS has_later,
       (SELECT p.language FROM signers s JOIN people p ON p.store_hash = s.store_hash AND p.id = s.person_id
         WHERE s.store_hash = q.store_hash AND s.request_id = q.id AND s.position = :position) AS person_language
  FROM requests q
  LEFT JOIN agreements a ON a.store_hash = q.store_hash AND a.id = q.agreement_id
  LEFT JOIN agreement_texts t ON t.store_hash = q.store_hash AND t.agreement_id = q.agreement_id
                             AND t.version = q.agreement_version AND t.language = q.document_language
  LEFT JOIN agreement_bindings b ON b.store_hash = q.store_hash AND b.id = q.binding_id AND b.title <> ''
  LEFT JOIN rules r ON r.store_hash = q.store_hash AND r.id = q.rule_id
 WHERE q.store_hash = :store_hash AND q.id = :request_id;

-- add_question --
INSERT INTO questions (store_hash, request_id, position, text, asked_at)
VALUES (:store_hash, :request_id, :position, :text, :now)
RETURNING id;

-- questions_of_signer --
SELECT id, text, asked_at, answer, answered_at FROM questions
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position ORDER BY id;

-- count_questions --
SELECT count(*) FROM questions
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND asked_at > :since;

-- questions_of_request --
SELECT q.id, q.position, q.text, q.asked_at, q.answer, q.answered_at, s.name, s.email
  FROM questions q JOIN signers s ON s.store_hash = q.store_hash AND s.request_id = q.request_id AND s.position = q.position
 WHERE q.store_hash = :store_hash AND q.request_id = :request_id ORDER BY q.id;

-- answer_question --
-- Nothing comes back when it was answered before.
UPDATE questions SET answer = :answer, answered_by = :answered_by, answered_at = :now
 WHERE store_hash = :store_hash AND request_id = :request_id AND id = :id AND answered_at IS NULL
RETURNING position;

-- fetch_question --
SELECT text, answer FROM questions WHERE store_hash = :store_hash AND id = :id;

-- open_questions --
SELECT count(*) FROM questions
 WHERE store_hash = :store_hash AND request_id = :request_id AND answered_at IS NULL;

-- begin_rest --
UPDATE requests SET resting_since = :now WHERE store_hash = :store_hash AND id = :id AND resting_since IS NULL;

-- fetch_rest --
-- Since when a request rests, and whether the question's task is still open.
SELECT q.resting_since,
       EXISTS (SELECT 1 FROM tasks t WHERE t.store_hash = q.store_hash AND t.kind = 'question' AND t.request_id = q.id
                  AND t.done_at IS NULL) AS asked
  FROM requests q WHERE q.store_hash = :store_hash AND q.id = :id AND q.resting_since IS NOT NULL;

-- end_rest --
UPDATE requests SET resting_since = NULL, remind_at = remind_at + CAST(:pause AS interval)
 WHERE store_hash = :store_hash AND id = :id;

-- reopen_question_task --
-- A second question while the first one's task was marked as done.
UPDATE tasks SET done_at = NULL, done_by = NULL, created_at = :now
 WHERE store_hash = :store_hash AND kind = 'question' AND request_id = CAST(:request_id AS bigint) AND done_at IS NOT NULL
RETURNING id;

-- settle_question --
UPDATE tasks SET done_at = :now, done_by = :done_by
 WHERE store_hash = :store_hash AND kind = 'question' AND request_id = CAST(:request_id AS bigint) AND done_at IS NULL;

-- recent_resends --
-- Invitations that were asked to be mailed again, and whether one waits.
SELECT count(*) FILTER (WHERE created_at > :since) AS lately, count(*) FILTER (WHERE created_at > :day) AS today,
       count(*) FILTER (WHERE state IN ('pending', 'started')) AS waiting
  FROM actions WHERE store_hash = :store_hash AND request_id = CAST(:request_id AS bigint) AND kind = 'resend_request';

-- add_signer_notice --
-- Nothing comes back when the signer was told of the same before.
INSERT INTO notices (store_hash, request_id, position, kind, made_at, outcome)
VALUES (:store_hash, :request_id, :position, :kind, :now, :outcome)
ON CONFLICT DO NOTHING
RETURNING position;

-- lock_signer_notice --
SELECT kind, outcome FROM notices
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND kind = :kind FOR UPDATE;

-- count_mailed --
SELECT count(*) FROM notices
 WHERE store_hash = :store_hash AND address = ANY(CAST(:addresses AS bytea[])) AND mailed_at > :since;

-- begin_signer_notice --
UPDATE notices SET outcome = 'begun', address = :address, mailed_at = :now
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND kind = :kind;

-- end_signer_notice --
UPDATE notices SET outcome = :outcome, mailed_at = CASE WHEN :outcome IN ('mailed', 'unclear') THEN mailed_at END
 WHERE store_hash = :store_hash AND request_id = :request_id AND position = :position AND kind = :kind;

-- round_before --
-- The round before this one, when it was open until now: whoever was asked in it is to know that another follows.
SELECT id FROM (SELECT id, status FROM requests
                 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
                   AND rule_id = :rule_id AND purpose = :purpose AND round < :round
                 ORDER BY round DESC LIMIT 1) r
 WHERE r.status IN ('sent', 'viewed', 'partly_signed', 'cancelled');

-- open_requests_of_record --
SELECT id FROM requests
 WHERE store_hash = :store_hash AND record_kind = :record_kind AND record_id = :record_id
   AND status IN ('sent', 'viewed', 'partly_signed') ORDER BY id;

-- erase_questions --
WITH done AS (
    DELETE FROM questions q
     WHERE q.store_hash = :store_hash
       AND (concat_ws(' ', q.text, q.answer) ~* CAST(:pattern AS text)
            OR EXISTS (SELECT 1 FROM signers s
                        WHERE s.store_hash = q.store_hash AND s.request_id = q.request_id AND s.position = q.position
                          AND (:email IN (s.email, s.mended_from, s.mend_to, s.forwarded_to)
                               OR s.person_id = CAST(:person_id AS bigint))))
    RETURNING 1)
SELECT count(*) FROM done;
