-- What is observed most.
SELECT code, count(*) AS n, count(value) AS valued, avg(value) AS mean
FROM observation GROUP BY code ORDER BY n DESC, code LIMIT 20
