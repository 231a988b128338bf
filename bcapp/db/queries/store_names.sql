-- What a store calls what its rules know by number.

-- store_names_of --
SELECT what, id, name FROM store_names WHERE store_hash = :store_hash ORDER BY what, lower(name), id;

-- keep_store_names --
INSERT INTO store_names (store_hash, what, id, name)
SELECT :store_hash, :what, n.id, n.name
  FROM unnest(CAST(:ids AS bigint[]), CAST(:names AS text[])) AS n (id, name)
ON CONFLICT (store_hash, what, id) DO UPDATE SET name = EXCLUDED.name WHERE store_names.name <> EXCLUDED.name;

-- drop_other_store_names --
-- Those that the store has no more.
DELETE FROM store_names WHERE store_hash = :store_hash AND what = :what AND id <> ALL(CAST(:ids AS bigint[]));
