-- People by diagnosis and by what they were ever prescribed: two large tables side by side.
SELECT c.code AS condition, m.code AS medication, count(DISTINCT c.patient_key) AS people
FROM (SELECT DISTINCT patient_key, code FROM condition) c
JOIN (SELECT DISTINCT patient_key, code FROM medication) m ON m.patient_key = c.patient_key
GROUP BY c.code, m.code
