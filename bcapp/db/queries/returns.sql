-- The returns form of shoppers: who asked for it, and who proved that an order is theirs.

-- lock_return_asks --
-- Who asks at the same moment is counted one after the other. To the end of the transaction.
SELECT pg_advisory_xact_lock(706183, hashtext(:store_hash));

-- count_return_asks --
-- Since then, of the address, of the sender, of the order where a link was mailed, and of the store: what a stranger typed about an
-- order takes nothing from its buyer.
SELECT count(*) FILTER (WHERE address = ANY(:addresses)) AS address,
       count(*) FILTER (WHERE sender = ANY(:senders)) AS sender,
       count(*) FILTER (WHERE order_id = :order_id AND digest IS NOT NULL) AS order, count(*) AS store
  FROM return_asks WHERE store_hash = :store_hash AND asked_at > :since;

-- add_return_ask --
INSERT INTO return_asks (store_hash, order_id, address, sender, language, asked_at)
VALUES (:store_hash, :order_id, :address, :sender, :language, :now) RETURNING id;

-- fetch_return_ask --
SELECT * FROM return_asks WHERE store_hash = :store_hash AND id = :id;

-- prove_return_ask --
UPDATE return_asks SET digest = :digest, expires_at = :expires_at, shipped = :shipped, offered = :offered
 WHERE store_hash = :store_hash AND id = :id AND digest IS NULL RETURNING id;

-- forget_return_link --
UPDATE return_asks SET digest = NULL, expires_at = NULL WHERE store_hash = :store_hash AND id = :id;

-- return_ask_of_link --
SELECT a.*, c.id AS case_id, c.state AS case_state
  FROM return_asks a LEFT JOIN cases c
    ON c.store_hash = a.store_hash AND c.origin = 'shopper' AND c.origin_key = CAST(a.id AS text)
 WHERE a.store_hash = :store_hash AND a.digest = :digest;

-- pieces_in_cases --
-- What other cases of the order already ask for, as far as the lines that were read then do not show it as refunded.
SELECT l.item_id, sum(l.quantity) AS pieces
  FROM cases c JOIN case_lines l ON l.store_hash = c.store_hash AND l.case_id = c.id AND l.item_type = 'PRODUCT'
 WHERE c.store_hash = :store_hash AND c.order_id = :order_id
   AND (c.state IN ('new', 'open', 'approved', 'stuck')
        OR c.state IN ('settling', 'by_hand', 'closed') AND c.approved_at > CAST(:read_at AS timestamptz))
 GROUP BY l.item_id;

-- clear_return_asks --
-- global: every store's old ones, once in a while; those of which a case came show how it stands for longer.
DELETE FROM return_asks a
 WHERE a.asked_at < :before
   AND (a.asked_at < :long_before OR NOT EXISTS (SELECT FROM cases c WHERE c.store_hash = a.store_hash
        AND c.origin = 'shopper' AND c.origin_key = CAST(a.id AS text)));
