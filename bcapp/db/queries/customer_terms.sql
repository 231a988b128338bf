-- Terms that customers and companies signed for good.

-- terms_due --
-- Records whose terms come due: the day on which a renewal is asked for, the end itself, and the end of the grace that a
-- new text has. Each is looked at once after its day, and hourly while the renewal waits for its turn.
SELECT r.kind, r.id
  FROM records r
  JOIN LATERAL (
       SELECT a.agreement_id, a.agreement_version, a.party_kind, a.party_id, a.valid_until, a.recorded_at
         FROM acceptances a
         JOIN requests q ON q.store_hash = a.store_hash AND q.id = a.request_id
        WHERE a.store_hash = r.store_hash AND a.revoked_at IS NULL
          AND q.record_kind = r.kind AND q.record_id = r.id AND q.workflow = :workflow
        ORDER BY a.valid_from DESC LIMIT 1) a ON true
  JOIN unnest(CAST(:agreements AS bigint[]), CAST(:days AS integer[])) AS d(agreement_id, days)
    ON d.agreement_id = a.agreement_id
  LEFT JOIN LATERAL (
       SELECT min(c.grace_until) AS until FROM campaigns c
         JOIN agreement_versions v ON v.store_hash = c.store_hash AND v.agreement_id = c.agreement_id
                                  AND v.version = c.version AND v.material
        WHERE c.store_hash = r.store_hash AND c.agreement_id = a.agreement_id
          AND c.version > a.agreement_version) g ON true
 WHERE r.store_hash = :store_hash AND r.kind IN ('customer', 'company') AND r.gone_since IS NULL
   AND ((a.valid_until <= :now AND r.looked_at < a.valid_until)
        OR (g.until <= :now AND r.looked_at < g.until)
        OR (a.valid_until - make_interval(days => d.days) <= :now AND a.valid_until > :now
            AND (r.looked_at < a.valid_until - make_interval(days => d.days)
                 OR (r.looked_at < CAST(:now AS timestamptz) - interval '1 hour'
                     AND NOT EXISTS (SELECT FROM requests q
                                      WHERE q.store_hash = r.store_hash AND q.record_kind = r.kind AND q.record_id = r.id
                                        AND q.workflow = :workflow AND q.created_at > a.recorded_at)))))
 ORDER BY r.looked_at LIMIT :most;
