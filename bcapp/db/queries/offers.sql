-- Offers: what is found only by reading all of it, and quotes that orders came from.

-- sightings --
SELECT id, digest, first_seen_at, absent_at FROM sightings WHERE store_hash = :store_hash AND kind = :kind;

-- fetch_sighting --
SELECT first_seen_at, absent_at FROM sightings WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- save_sighting --
-- The first time stays; only how it is now is written again.
INSERT INTO sightings (store_hash, kind, id, digest, first_seen_at, absent_at)
VALUES (:store_hash, :kind, :id, :digest, :now, :absent_at)
ON CONFLICT (store_hash, kind, id) DO UPDATE SET digest = :digest;

-- drop_sighting --
DELETE FROM sightings WHERE store_hash = :store_hash AND kind = :kind AND id = :id;

-- has_asked_for_quotes --
SELECT EXISTS (SELECT 1 FROM requests WHERE store_hash = :store_hash AND record_kind = 'quote' AND NOT simulated)
       OR EXISTS (SELECT 1 FROM own_quotes WHERE store_hash = :store_hash);
