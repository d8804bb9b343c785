-- The example of docs/guides/research.md.
SELECT p.gender, avg(o.value) AS systolic, count(DISTINCT o.patient_key) AS people
FROM observation_component o JOIN patient p ON p.patient_key = o.patient_key
WHERE o.code = '8480-6' GROUP BY p.gender
