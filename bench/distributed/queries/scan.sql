-- Reads most of the largest table and leaves little: the query that the figures are about.
SELECT category, date_part('year', effective_at) AS year, count(*) AS n, count(value) AS valued,
       avg(value) AS mean, min(value) AS least, max(value) AS most,
       sum(CASE WHEN value > 100 THEN 1 ELSE 0 END) AS high,
       sum(CASE WHEN lower(code_display) LIKE '%blood%' THEN 1 ELSE 0 END) AS of_blood,
       sum(CASE WHEN unit_code IS NOT NULL AND interpretation IS NULL THEN 1 ELSE 0 END) AS plain
FROM observation WHERE status <> 'entered-in-error'
GROUP BY category, date_part('year', effective_at)
