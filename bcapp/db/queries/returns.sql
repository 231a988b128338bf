-- The returns form of shoppers: who asked for it, and who proved that an order is theirs.

-- count_return_asks --
-- Since then, of the address, of the order, and of the store.
SELECT count(*) FILTER (WHERE address = ANY(:addresses)) AS address, count(*) FILTER (WHERE order_id = :order_id) AS order,
       count(*) AS store
  FROM return_asks WHERE store_hash = :store_hash AND asked_at > :since;

-- add_return_ask --
INSERT INTO return_asks (store_hash, order_id, address, language, asked_at)
VALUES (:store_hash, :order_id, :address, :language, :now) RETURNING id;

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

-- clear_return_asks --
-- global: every store's old ones, once in a while; those of which a case came show how it stands for longer.
DELETE FROM return_asks a
 WHERE a.asked_at < :before
   AND (a.asked_at < :long_before OR NOT EXISTS (SELECT FROM cases c WHERE c.store_hash = a.store_hash
        AND c.origin = 'shopper' AND c.origin_key = CAST(a.id AS text)));
