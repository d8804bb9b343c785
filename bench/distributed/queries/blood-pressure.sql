-- The demo's data set (crates/node/src/demo/datasets.rs): one row for each patient with a blood pressure.
SELECT least(greatest(floor((m.year - date_part('year', p.birth_date)) / 10.0) * 10, 0), 90) AS age,
       CASE WHEN p.gender IN ('female', 'male') THEN p.gender END AS sex,
       least(greatest(round(m.systolic), 50), 280) AS systolic,
       CASE WHEN d.patient_key IS NULL THEN 'no' ELSE 'yes' END AS diabetes,
       b.obese AS obese,
       least(greatest(coalesce(b.first, b.last) - date_part('year', p.birth_date), 0), 110) AS years
FROM patient p
JOIN (SELECT patient_key, avg(value) AS systolic, max(date_part('year', effective_at)) AS year
      FROM observation_component WHERE code = '8480-6' AND value IS NOT NULL
      GROUP BY patient_key) m ON m.patient_key = p.patient_key
LEFT JOIN (SELECT patient_key, max(CASE WHEN value >= 30 THEN 1.0 ELSE 0.0 END) AS obese,
                  min(CASE WHEN value >= 30 THEN date_part('year', effective_at) END) AS first,
                  max(date_part('year', effective_at)) AS last
           FROM observation WHERE code = '39156-5' AND value IS NOT NULL
           GROUP BY patient_key) b ON b.patient_key = p.patient_key
LEFT JOIN (SELECT DISTINCT patient_key FROM condition WHERE code = '44054006') d
       ON d.patient_key = p.patient_key
