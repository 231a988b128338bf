-- put_channel --
-- A channel as BigCommerce tells it.
INSERT INTO channels (store_hash, id, name, type, status, site_url)
VALUES (:store_hash, :id, :name, :type, :status, :site_url)
ON CONFLICT (store_hash, id) DO UPDATE
   SET name = EXCLUDED.name, type = EXCLUDED.type, status = EXCLUDED.status,
       site_url = COALESCE(EXCLUDED.site_url, channels.site_url);

-- drop_other_channels --
-- Channels that BigCommerce does not tell of any more.
DELETE FROM channels WHERE store_hash = :store_hash AND id <> ALL(CAST(:ids AS bigint[]));

-- list_channels --
SELECT id, name, type, status, site_url FROM channels WHERE store_hash = :store_hash ORDER BY id;
