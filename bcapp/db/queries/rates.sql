-- rates_of_store --
-- The newest dated table of rates; every row has the same base.
SELECT base, currency, rate, as_of, source
FROM rates
WHERE store_hash = :store_hash
ORDER BY currency
