-- add_registration --
-- Nothing comes back when the piece was registered before, from the same document.
INSERT INTO registrations (store_hash, order_id, request_id, paper_id, rule_id, rule_version, item_id, piece, quantity,
       product_id, sku, name, cover, serial, serial_key, serial_from, starts_on, ends_on, renew_on, state, state_why,
       buyer, name_digest, email_digest, phone_digest, created_at)
VALUES (:store_hash, :order_id, :request_id, :paper_id, :rule_id, :rule_version, :item_id, :piece, :quantity,
       :product_id, :sku, :name, :cover, :serial, :serial_key, :serial_from, :starts_on, :ends_on, :renew_on, :state,
       :state_why, :buyer, :name_digest, :email_digest, :phone_digest, :now)
ON CONFLICT (store_hash, request_id, paper_id, item_id, piece) DO NOTHING
RETURNING id;

-- registrations_of_order --
SELECT id, order_id, request_id, paper_id, rule_id, item_id, piece, quantity, product_id, sku, name, cover, serial,
       starts_on, ends_on, renewal_asked_at, state, state_why, ended_on
  FROM registrations WHERE store_hash = :store_hash AND order_id = :order_id ORDER BY id;

-- fetch_registration --
SELECT r.*, rules.name AS rule_name, p.content AS paper_content, p.author AS paper_author, p.signed_on
  FROM registrations r
  LEFT JOIN rules ON rules.store_hash = r.store_hash AND rules.id = r.rule_id
  LEFT JOIN paper_forms p ON p.store_hash = r.store_hash AND p.id = r.paper_id
 WHERE r.store_hash = :store_hash AND r.id = :id;

-- replace_registrations --
-- What a new signature takes the place of: the same piece of the same rule, registered from another document.
UPDATE registrations SET state = CASE WHEN CAST(:renewed AS boolean) THEN 'renewed' ELSE 'ended' END,
       state_why = CASE WHEN CAST(:renewed AS boolean) THEN '' ELSE 'A newer registration took its place.' END,
       ended_on = CASE WHEN CAST(:renewed AS boolean) THEN NULL ELSE CAST(:today AS date) END
 WHERE store_hash = :store_hash AND order_id = :order_id AND rule_id = :rule_id AND state = 'active'
   AND (request_id <> :request_id OR paper_id <> :paper_id)
   AND item_id = ANY(CAST(:items AS bigint[]))
RETURNING id;

-- leave_registration --
-- What a refund leaves of a registration; nothing left ends it.
UPDATE registrations SET quantity = CASE WHEN CAST(:quantity AS integer) = 0 THEN quantity ELSE :quantity END,
       state = CASE WHEN CAST(:quantity AS integer) = 0 THEN 'ended' ELSE state END,
       state_why = CASE WHEN CAST(:quantity AS integer) = 0 THEN CAST(:why AS text) ELSE state_why END,
       ended_on = CASE WHEN CAST(:quantity AS integer) = 0 THEN CAST(:today AS date) ELSE ended_on END
 WHERE store_hash = :store_hash AND id = :id AND state IN ('active', 'renewed')
RETURNING id;

-- set_serial --
UPDATE registrations SET serial = :serial, serial_key = :serial_key, serial_from = :serial_from
 WHERE store_hash = :store_hash AND id = :id AND serial <> :serial
RETURNING id;

-- serial_elsewhere --
-- Whether another order has one of these serial numbers of the same product, and still runs.
SELECT o.order_id FROM registrations o
 WHERE o.store_hash = :store_hash AND o.order_id <> :order_id AND o.state = 'active'
   AND EXISTS (SELECT FROM unnest(CAST(:keys AS text[]), CAST(:products AS bigint[])) AS n(serial_key, product_id)
                WHERE n.serial_key = o.serial_key AND n.product_id = o.product_id)
 ORDER BY o.id LIMIT 1;

-- renewals_due --
-- What has to be asked for again, once for each signed request.
SELECT order_id, request_id, min(ends_on) AS ends_on FROM registrations
 WHERE store_hash = :store_hash AND state = 'active' AND renew_on <= :today AND renewal_asked_at IS NULL
   AND request_id > 0
 GROUP BY order_id, request_id ORDER BY min(renew_on) LIMIT :most;

-- note_renewal --
UPDATE registrations SET renewal_asked_at = :now
 WHERE store_hash = :store_hash AND request_id = :request_id AND renewal_asked_at IS NULL
RETURNING id;

-- find_registrations --
-- What a search may mean, all at once; a part that is "" or null finds nothing.
SELECT id, order_id, request_id, paper_id, rule_id, item_id, piece, quantity, product_id, sku, name, cover, serial,
       starts_on, ends_on, renewal_asked_at, state, state_why, ended_on, buyer, count(*) OVER () AS total
  FROM registrations
 WHERE store_hash = :store_hash
   AND (order_id = NULLIF(CAST(:order_id AS text), '') OR serial_key = NULLIF(CAST(:serial AS text), '')
        OR (CAST(:personal AS boolean) AND (email_digest = CAST(:email AS bytea) OR phone_digest = CAST(:phone AS bytea)
                                            OR name_digest = CAST(:name AS bytea))))
 ORDER BY order_id, item_id, piece, id LIMIT :most;

-- list_registrations --
SELECT id, order_id, request_id, paper_id, rule_id, item_id, piece, quantity, product_id, sku, name, cover, serial,
       starts_on, ends_on, renewal_asked_at, state, state_why, ended_on, buyer, count(*) OVER () AS total
  FROM registrations
 WHERE store_hash = :store_hash AND (CAST(:state AS text) = '' OR state = :state)
 ORDER BY id DESC LIMIT :most OFFSET :skip;

-- warranty_requests_of_order --
-- What was asked about an order, newest first, also when nothing is registered yet.
SELECT id, status, wanted, wanted_why, created_at, ended_at FROM requests
 WHERE store_hash = :store_hash AND record_kind = 'order' AND record_id = :order_id AND workflow = 'warranty'
   AND purpose = 'customer'
 ORDER BY id DESC LIMIT 20;

-- warranty_rules --
SELECT id, name, version, mode FROM rules
 WHERE store_hash = :store_hash AND workflow = 'warranty' AND NOT archived ORDER BY (mode = 'live') DESC, position, id;

-- add_known_serials --
INSERT INTO known_serials (store_hash, order_id, sku, serial_key, serial, given_at)
SELECT :store_hash, n.order_id, n.sku, n.serial_key, n.serial, :now
  FROM unnest(CAST(:orders AS text[]), CAST(:skus AS text[]), CAST(:keys AS text[]), CAST(:serials AS text[]))
       AS n(order_id, sku, serial_key, serial)
ON CONFLICT (store_hash, order_id, sku, serial_key) DO NOTHING;

-- known_serials --
-- By SKU, in the order in which they were given.
SELECT sku, serial FROM known_serials WHERE store_hash = :store_hash AND order_id = :order_id
 ORDER BY sku, given_at, serial_key;

-- fill_serials --
-- Give the registrations of these orders the numbers of a file that are not used there yet, one to a piece.
WITH free AS (
    SELECT r.id, r.order_id, r.sku,
           row_number() OVER (PARTITION BY r.order_id, r.sku ORDER BY r.item_id, r.piece, r.id) AS place
      FROM registrations r
     WHERE r.store_hash = :store_hash AND r.order_id = ANY(CAST(:orders AS text[])) AND r.state = 'active'
       AND r.serial = '' AND r.quantity = 1
), given AS (
    SELECT k.order_id, k.sku, k.serial, k.serial_key,
           row_number() OVER (PARTITION BY k.order_id, k.sku ORDER BY k.given_at, k.serial_key) AS place
      FROM known_serials k
     WHERE k.store_hash = :store_hash AND k.order_id = ANY(CAST(:orders AS text[]))
       AND NOT EXISTS (SELECT FROM registrations u WHERE u.store_hash = k.store_hash AND u.order_id = k.order_id
                          AND u.serial_key = k.serial_key AND u.state = 'active')
), done AS (
    UPDATE registrations r SET serial = g.serial, serial_key = g.serial_key, serial_from = 'file'
      FROM free f JOIN given g ON g.order_id = f.order_id AND g.sku = f.sku AND g.place = f.place
     WHERE r.store_hash = :store_hash AND r.id = f.id
    RETURNING 1)
SELECT count(*) FROM done;

-- add_paper --
INSERT INTO paper_forms (store_hash, order_id, rule_id, content, signed_on, serials, author, created_at)
VALUES (:store_hash, :order_id, :rule_id, :content, :signed_on, :serials, :author, :now)
RETURNING id;

-- fetch_paper --
SELECT id, order_id, rule_id, content, signed_on, serials, author, state FROM paper_forms
 WHERE store_hash = :store_hash AND id = :id;

-- end_paper --
UPDATE paper_forms SET state = :state, why = :why WHERE store_hash = :store_hash AND id = :id AND state = 'waiting';

-- papers_of_order --
SELECT id, state, why, signed_on, created_at, author FROM paper_forms
 WHERE store_hash = :store_hash AND order_id = :order_id ORDER BY id DESC LIMIT 20;

-- erase_registrations --
WITH done AS (
    UPDATE registrations SET buyer = '', name_digest = NULL, email_digest = NULL, phone_digest = NULL
     WHERE store_hash = :store_hash
       AND (buyer <> '' OR name_digest IS NOT NULL OR email_digest IS NOT NULL OR phone_digest IS NOT NULL)
       AND (encode(email_digest, 'hex') = NULLIF(CAST(:digest AS text), '') OR request_id = ANY(CAST(:requests AS bigint[])))
    RETURNING 1)
SELECT count(*) FROM done;
