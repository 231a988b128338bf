-- rates_of_store --
-- Every row has the same base.
SELECT base, currency, rate, as_of, source
  FROM rates
 WHERE store_hash = :store_hash
 ORDER BY currency;

-- keep_store_rate --
-- What a person typed stands until a person takes it back.
INSERT INTO rates (store_hash, currency, base, rate, as_of, source)
VALUES (:store_hash, :currency, :base, :rate, :as_of, 'store')
ON CONFLICT (store_hash, currency) DO UPDATE
   SET base = EXCLUDED.base, rate = EXCLUDED.rate, as_of = EXCLUDED.as_of
 WHERE rates.source = 'store';

-- drop_old_rates --
-- What the store does not name any more, and every rate against a currency that is its default no more.
DELETE FROM rates
 WHERE store_hash = :store_hash
   AND (base <> :base OR (source = 'store' AND currency <> ALL(CAST(:told AS text[]))));

-- keep_hand_rate --
INSERT INTO rates (store_hash, currency, base, rate, as_of, source)
VALUES (:store_hash, :currency, :base, :rate, :as_of, 'hand')
ON CONFLICT (store_hash, currency) DO UPDATE
   SET base = EXCLUDED.base, rate = EXCLUDED.rate, as_of = EXCLUDED.as_of, source = 'hand';

-- drop_hand_rate --
DELETE FROM rates WHERE store_hash = :store_hash AND currency = :currency AND source = 'hand' RETURNING currency;

-- rules_that_convert --
SELECT r.id, r.name
  FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND NOT r.archived AND CAST(v.definition ->> 'use_rates' AS boolean)
 ORDER BY r.name, r.id;
