-- add_case --
-- Nothing comes back when the same opening was written before.
INSERT INTO cases (store_hash, kind, state, order_id, origin, origin_key, opened_by, goods_back, tender, tolerance,
                   reason, contact_name, contact_email, note, created_at)
VALUES (:store_hash, :kind, :state, :order_id, :origin, :origin_key, :opened_by, :goods_back, :tender, :tolerance,
        :reason, :contact_name, :contact_email, :note, :now)
ON CONFLICT (store_hash, origin, origin_key) WHERE origin_key <> '' DO NOTHING
RETURNING id;

-- case_opened_by --
SELECT opened_by FROM cases WHERE store_hash = :store_hash AND id = :id;

-- case_of_opening --
SELECT id FROM cases WHERE store_hash = :store_hash AND origin = :origin AND origin_key = :origin_key;

-- add_case_line --
INSERT INTO case_lines (store_hash, case_id, position, item_type, item_id, quantity, amount, available, price, name, sku,
                        why)
VALUES (:store_hash, :case_id, :position, :item_type, :item_id, :quantity, :amount, :available, :price, :name, :sku, :why);

-- drop_case_lines --
DELETE FROM case_lines WHERE store_hash = :store_hash AND case_id = :case_id;

-- fetch_case --
-- taken: what of the cap is refunded or on its way.
SELECT c.*, COALESCE((SELECT sum(r.amount) FROM case_refunds r
                       WHERE r.store_hash = c.store_hash AND r.case_id = c.id AND r.state <> 'declined'), 0) AS taken,
       COALESCE((SELECT u.email FROM users u WHERE u.store_hash = c.store_hash AND u.id = c.opened_by), '') AS opener_email
  FROM cases c
 WHERE c.store_hash = :store_hash AND c.id = :id;

-- lines_of_case --
SELECT position, item_type, item_id, quantity, amount, available, price, name, sku, why
  FROM case_lines
 WHERE store_hash = :store_hash AND case_id = :case_id
 ORDER BY position;

-- cases_of_order --
-- Oldest first, with what each has taken so far.
SELECT c.id, c.state, c.cap, c.baseline,
       COALESCE((SELECT sum(r.amount) FROM case_refunds r
                  WHERE r.store_hash = c.store_hash AND r.case_id = c.id AND r.state <> 'declined'), 0) AS taken
  FROM cases c
 WHERE c.store_hash = :store_hash AND c.order_id = :order_id
 ORDER BY c.id;

-- see_case_order --
INSERT INTO case_orders (store_hash, order_id) VALUES (:store_hash, :order_id) ON CONFLICT DO NOTHING;

-- lock_case_order --
-- What is reserved against an order, and which refunds count for what, is written under this lock only.
SELECT order_id FROM case_orders WHERE store_hash = :store_hash AND order_id = :order_id FOR UPDATE;

-- submit_case --
UPDATE cases SET state = 'new'
 WHERE store_hash = :store_hash AND id = :id AND state IN ('draft', 'new')
RETURNING id;

-- save_case_order --
UPDATE cases
   SET currency = :currency, order_facts = CAST(:order_facts AS jsonb),
       contact_name = CASE WHEN contact_name = '' THEN :contact_name ELSE contact_name END,
       contact_email = CASE WHEN contact_email = '' THEN :contact_email ELSE contact_email END
 WHERE store_hash = :store_hash AND id = :id AND state NOT IN ('closed', 'refused', 'withdrawn');

-- save_case_quote --
-- The case waits to be signed from now on; nothing comes back when it went another way meanwhile.
UPDATE cases
   SET state = 'open', state_why = '', quoted = :quoted, tax = :tax, cap = :cap, baseline = CAST(:baseline AS jsonb),
       quoted_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state IN ('new', 'open', 'stuck')
RETURNING id;

-- lock_case --
SELECT state, kind, order_id FROM cases WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- move_case --
UPDATE cases
   SET state = :state, state_why = :why,
       looks = CASE WHEN :state = 'settling' THEN 0 ELSE looks END,
       approved_at = CASE WHEN :state = 'approved' THEN CAST(:now AS timestamptz) ELSE approved_at END,
       ended_at = CASE WHEN CAST(:is_end AS boolean) THEN COALESCE(ended_at, CAST(:now AS timestamptz)) ELSE NULL END
 WHERE store_hash = :store_hash AND id = :id;

-- note_case_look --
UPDATE cases SET looks = looks + 1 WHERE store_hash = :store_hash AND id = :id RETURNING looks;

-- set_goods_back --
UPDATE cases SET goods_back = :goods_back
 WHERE store_hash = :store_hash AND id = :id AND state NOT IN ('closed', 'refused', 'withdrawn')
RETURNING id;

-- attempts_of_case --
SELECT number, action_id, order_id, state, amount, refunded, known, looks, refund_id, called_at
  FROM case_attempts
 WHERE store_hash = :store_hash AND case_id = :case_id
 ORDER BY number;

-- begin_attempt --
-- Nothing comes back while another refund of the order is under way, or when somebody else made this attempt.
INSERT INTO case_attempts (store_hash, case_id, number, action_id, order_id, state, amount, refunded, known, called_at)
VALUES (:store_hash, :case_id, :number, :action_id, :order_id, 'calling', :amount, :refunded, CAST(:known AS jsonb), :now)
ON CONFLICT DO NOTHING
RETURNING number;

-- end_attempt --
UPDATE case_attempts
   SET state = :state, refund_id = :refund_id, why = :why,
       ended_at = CASE WHEN :state = 'unclear' THEN NULL ELSE CAST(:now AS timestamptz) END
 WHERE store_hash = :store_hash AND case_id = :case_id AND number = :number;

-- leave_attempts --
-- The case has ended, decided by a person: what is not known of its refunds keeps no other case of the order waiting.
UPDATE case_attempts SET state = 'person', ended_at = :now
 WHERE store_hash = :store_hash AND case_id = :case_id AND state IN ('calling', 'unclear');

-- note_attempt_look --
UPDATE case_attempts SET state = 'unclear', looks = looks + 1
 WHERE store_hash = :store_hash AND case_id = :case_id AND number = :number
RETURNING looks;

-- attempts_of_order --
-- Those whose refund may stand at the store without our knowing it.
SELECT case_id, known FROM case_attempts
 WHERE store_hash = :store_hash AND order_id = :order_id AND state IN ('calling', 'unclear', 'person');

-- note_case_refund --
INSERT INTO case_refunds (store_hash, refund_id, case_id, order_id, ours, approved, state, amount, currency, made_by,
                          made_at, seen_at)
VALUES (:store_hash, :refund_id, :case_id, :order_id, :ours, :approved, :state, :amount, :currency, :made_by, :made_at,
        :now)
ON CONFLICT DO NOTHING
RETURNING refund_id;

-- settle_case_refund --
UPDATE case_refunds SET state = :state, amount = :amount
 WHERE store_hash = :store_hash AND refund_id = :refund_id AND case_id = :case_id;

-- decline_by_hand --
-- Somebody's own refund that was declined whole takes nothing off a case.
UPDATE case_refunds SET state = 'declined'
 WHERE store_hash = :store_hash AND refund_id = :refund_id AND NOT ours AND state <> 'declined'
RETURNING case_id;

-- pay_by_hand --
UPDATE case_refunds SET state = 'settled'
 WHERE store_hash = :store_hash AND case_id = :case_id AND state = 'by_hand';

-- refunds_of_case --
SELECT refund_id, ours, approved, state, amount, currency, made_by, made_at
  FROM case_refunds
 WHERE store_hash = :store_hash AND case_id = :case_id
 ORDER BY refund_id;

-- refunds_of_order --
SELECT DISTINCT refund_id FROM case_refunds WHERE store_hash = :store_hash AND order_id = :order_id;

-- known_refunds --
SELECT DISTINCT refund_id FROM case_refunds
 WHERE store_hash = :store_hash AND refund_id = ANY(CAST(:ids AS bigint[]));

-- has_cases --
SELECT EXISTS (SELECT 1 FROM cases WHERE store_hash = :store_hash AND order_id = :order_id);

-- cases_live_since --
-- When the store began to want signatures for refunds; null when it does not.
SELECT min(live_since) FROM rules
 WHERE store_hash = :store_hash AND workflow = 'case_approval' AND mode = 'live' AND NOT archived;

-- list_cases --
SELECT c.id, c.kind, c.state, c.state_why, c.order_id, c.origin, c.reason, c.currency, c.cap, c.quoted, c.goods_back,
       c.created_at, c.ended_at, count(*) OVER () AS total
  FROM cases c
 WHERE c.store_hash = :store_hash
   AND (:number = 0 OR c.id = :number OR c.order_id = :number)
   AND (:scope = 'all'
        OR (:scope = 'open' AND c.state IN ('draft', 'new', 'open', 'approved', 'settling'))
        OR (:scope = 'person' AND c.state IN ('stuck', 'by_hand'))
        OR (:scope = 'ended' AND c.state IN ('closed', 'refused', 'withdrawn')))
 ORDER BY c.id DESC
 LIMIT :limit OFFSET :offset;

-- count_cases --
SELECT count(*) AS "all",
       count(*) FILTER (WHERE state IN ('draft', 'new', 'open', 'approved', 'settling')) AS open,
       count(*) FILTER (WHERE state IN ('stuck', 'by_hand')) AS person,
       count(*) FILTER (WHERE state IN ('closed', 'refused', 'withdrawn')) AS ended
  FROM cases WHERE store_hash = :store_hash;

-- unapproved_refunds --
SELECT r.refund_id, r.case_id, r.order_id, r.amount, r.currency, r.made_by, r.made_at, u.email AS made_by_email,
       count(*) OVER () AS total
  FROM case_refunds r
  LEFT JOIN users u ON u.store_hash = r.store_hash AND u.id = r.made_by
 WHERE r.store_hash = :store_hash AND NOT r.approved
 ORDER BY r.made_at DESC, r.refund_id DESC
 LIMIT :limit OFFSET :offset;

-- erase_cases --
-- What names the person in cases: contact, note, and why a line is sent back, files. Money and reasons stay.
WITH theirs AS (
    UPDATE cases SET contact_name = '', contact_email = '', note = ''
     WHERE store_hash = :store_hash AND (contact_email = :email OR note ~* :pattern) RETURNING id
), lines AS (
    UPDATE case_lines SET why = ''
     WHERE store_hash = :store_hash AND why <> '' AND case_id IN (SELECT id FROM theirs)
), files AS (
    DELETE FROM papers
     WHERE store_hash = :store_hash AND record_kind = 'case' AND record_id IN (SELECT CAST(id AS text) FROM theirs)
)
SELECT count(*) FROM theirs;

-- files_of_case --
-- The first that came first. One that was taken away is not among them.
SELECT id, media, size_bytes, sha256, uploaded_by, uploaded_at FROM papers
 WHERE store_hash = :store_hash AND record_kind = 'case' AND record_id = :record AND state = 'waiting' ORDER BY papers.id;

-- lock_case_files --
-- One at a time adds files to a case or takes them away.
SELECT id FROM cases WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- case_was_asked --
-- Whether a signature about the case was ever asked for: its sheet may name its files.
SELECT EXISTS (SELECT 1 FROM requests WHERE store_hash = :store_hash AND record_kind = 'case' AND record_id = :record);
