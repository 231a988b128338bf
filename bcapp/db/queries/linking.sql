-- What hangs on the store's own records: screens beside them, documents signed outside, what left without a signature.

-- rules_beside --
SELECT r.id, r.name, r.mode, v.definition
  FROM rules r JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND NOT r.archived AND r.mode IN ('live', 'monitor')
 ORDER BY r.position, r.id LIMIT 200;

-- acceptances_beside --
-- What a customer has accepted and what still counts, the newest first.
SELECT a.id, a.agreement_version, a.valid_from, a.valid_until, g.name
  FROM acceptances a JOIN agreements g ON g.store_hash = a.store_hash AND g.id = a.agreement_id
 WHERE a.store_hash = :store_hash AND a.party_kind = 'customer' AND a.party_id = :id AND a.revoked_at IS NULL
 ORDER BY a.valid_from DESC, a.id DESC LIMIT 20;
