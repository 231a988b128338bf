-- How much of a store a setting of a rule would change, as far as it is known without asking the store.

-- promotions_switched_on --
SELECT count(*) FROM records
 WHERE store_hash = :store_hash AND kind = 'promotion' AND gone_since IS NULL AND facts ->> 'status' = 'ENABLED';

-- suppliers_unsigned --
-- Active suppliers whose agreement is missing, and how many of their products were visible when that was counted last.
SELECT count(*) AS suppliers, COALESCE(sum(CAST(s.impact ->> 'visible' AS integer)), 0) AS visible,
       count(*) FILTER (WHERE s.impact ->> 'visible' IS NULL) AS uncounted
  FROM suppliers s
  LEFT JOIN supplier_checklist c ON c.store_hash = s.store_hash AND c.supplier_id = s.id AND c.item = 'agreement'
 WHERE s.store_hash = :store_hash AND s.state = 'active' AND c.given_on IS NULL;
