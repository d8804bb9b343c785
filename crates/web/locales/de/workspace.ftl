# SQL über die Akten, für Forschende.
nav-workspace = Arbeitsplatz
workspace-title = Arbeitsplatz
workspace-lead = Fragen Sie die Akten dieser Einrichtung mit SQL. Sie sehen Anzahlen, Mittelwerte und andere Zusammenfassungen über Menschen, und nie eine Zeile.
workspace-closed = Die Tabellen können nicht gezeigt werden:
workspace-fault = Die Abfrage wird nicht beantwortet:
workspace-sql = Abfrage
workspace-sql-hint = Ein SELECT mit einer Zusammenfassung, gruppiert wonach Sie wollen. Wer nicht an der Forschung teilnimmt, ist nicht darin.
workspace-run = Ausführen
workspace-csv = Als CSV speichern
workspace-found = Gefundene Gruppen
workspace-least = Gruppen von weniger als { $people } Menschen fehlen, und Werte über weniger sind leer.
workspace-left-out = { $groups ->
    [one] Eine Gruppe fehlt: Neben einer früheren Antwort würde sie weniger als { $people } Personen zeigen.
   *[other] { $groups } Gruppen fehlen: Neben früheren Antworten würden sie weniger als { $people } Personen zeigen.
}
workspace-as-of = Seit einer früheren Antwort sind zu wenige Personen dazugekommen oder weggefallen, um davon zu berichten. Dies ist der Stand der Akten vom
workspace-none = Keine Gruppe hat genug Menschen.
workspace-more = Die ersten { $lines } Zeilen. Die Datei hat alle.
workspace-picture = { $number } nach { $group }
workspace-true = ja
workspace-false = nein
workspace-examples = Für den Anfang
workspace-example-people = Menschen nach Geschlecht
workspace-example-conditions = Die Diagnosen, die die meisten haben
workspace-example-pressure = Mittlerer systolischer Blutdruck nach Geschlecht
workspace-example-cohort = Menschen mit Diabetes Typ 2, nach Geschlecht
workspace-projects = Ihre Vorhaben
workspace-projects-none = Keines Ihrer Vorhaben erlaubt es hier. Beantragen Sie eines, das „sql“ unter den Auswertungen und diese Einrichtung unter den befragten nennt.
workspace-tables = Tabellen
workspace-tables-help = Verbinden Sie sie über Schlüssel gleichen Namens. Schlüssel kann man zählen und zum Verbinden nutzen, sonst nichts.
workspace-key = Schlüssel
