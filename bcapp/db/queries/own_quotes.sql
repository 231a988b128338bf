-- Quotes made by hand in the app.

-- add_own_quote --
-- Nothing comes back when the same form made one already.
INSERT INTO own_quotes (store_hash, title, name, email, company, customer_id, language, terms, channel_id, currency,
                        lines, expires_at, once, created_by, created_at, modified_at)
VALUES (:store_hash, :title, :name, :email, :company, :customer_id, :language, :terms, :channel_id, :currency,
        CAST(:lines AS jsonb), :expires_at, :once, :author, :now, :now)
ON CONFLICT (store_hash, once) WHERE once <> '' DO NOTHING
RETURNING id;

-- own_quote_of_form --
SELECT id FROM own_quotes WHERE store_hash = :store_hash AND once = :once;

-- change_own_quote --
-- What its buyer could order until now is to be taken away: it is not what is offered any more.
UPDATE own_quotes
   SET title = :title, name = :name, email = :email, company = :company, customer_id = :customer_id,
       language = :language, terms = :terms, lines = CAST(:lines AS jsonb), expires_at = :expires_at,
       left_carts = CASE WHEN cart_id = '' THEN left_carts ELSE array_append(left_carts, cart_id) END,
       cart_id = '', modified_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state = 'open' AND order_id = 0
RETURNING id;

-- withdraw_own_quote --
UPDATE own_quotes
   SET state = 'withdrawn', modified_at = :now, cart_id = '',
       left_carts = CASE WHEN cart_id = '' THEN left_carts ELSE array_append(left_carts, cart_id) END
 WHERE store_hash = :store_hash AND id = :id AND state = 'open' AND order_id = 0
RETURNING id;

-- fetch_own_quote --
SELECT q.*, COALESCE(u.email, '') AS author_email
  FROM own_quotes q LEFT JOIN users u ON u.store_hash = q.store_hash AND u.id = q.created_by
 WHERE q.store_hash = :store_hash AND q.id = :id;

-- keep_own_quote_lines --
-- What was looked up belongs to the lines as they were read; those of a newer edit stay.
UPDATE own_quotes SET lines = CAST(:lines AS jsonb)
 WHERE store_hash = :store_hash AND id = :id AND modified_at = :modified_at;

-- keep_own_quote_cart --
UPDATE own_quotes SET cart_id = :cart_id, carts = array_append(carts, :cart_id)
 WHERE store_hash = :store_hash AND id = :id AND modified_at = :modified_at AND state = 'open' AND order_id = 0
RETURNING id;

-- leave_own_quote_cart --
UPDATE own_quotes SET left_carts = array_append(left_carts, cart_id), cart_id = ''
 WHERE store_hash = :store_hash AND id = :id AND cart_id <> '';

-- drop_left_carts --
UPDATE own_quotes SET left_carts = ARRAY(SELECT c FROM unnest(left_carts) c WHERE c <> ALL(CAST(:gone AS text[])))
 WHERE store_hash = :store_hash AND id = :id;

-- own_quote_of_cart --
SELECT id, order_id FROM own_quotes
 WHERE store_hash = :store_hash AND carts @> ARRAY[CAST(:cart_id AS text)]
 ORDER BY id LIMIT 1;

-- note_own_quote_order --
UPDATE own_quotes SET order_id = :order_id, cart_id = ''
 WHERE store_hash = :store_hash AND id = :id AND order_id = 0
RETURNING id;

-- erase_own_quotes --
WITH done AS (
    UPDATE own_quotes SET title = '', name = '', email = '', company = '', terms = ''
     WHERE store_hash = :store_hash
       AND (email = :email OR terms ~* CAST(:pattern AS text) OR title ~* CAST(:pattern AS text)) RETURNING 1)
SELECT count(*) FROM done;

-- open_own_quotes --
SELECT id FROM own_quotes
 WHERE store_hash = :store_hash AND state = 'open' AND order_id = 0 ORDER BY id DESC LIMIT :most;
