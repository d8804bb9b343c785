# Patienten suchen, anfragen, und die Akte.
find-title = Patient suchen
find-anything = Name, Geburtsdatum oder Kennung
find-do = Suchen
find-narrow = Suche eingrenzen
find-name = Name
find-birth-date = Geburtsdatum
find-birth-date-hint = Etwa 28.2.1961 oder 1961-02-28
find-identifier = Kennung
find-place = Wohnort
find-results = { $count ->
    [one] { $count } Patient gefunden
   *[other] { $count } Patienten gefunden
}
find-none = Niemand gefunden. Prüfen Sie die Schreibweise, oder suchen Sie nur mit dem Geburtsdatum.
find-more = Es gibt weitere. Grenzen Sie die Suche ein, um sie zu sehen.
age = Alter
sex = Geschlecht
deceased = verstorben
patient = Patient
born = Geboren
died = Verstorben
died-date-unknown = Datum unbekannt
phone = Telefon
address = Adresse
purpose = Zweck

ask-title = Andere Kliniken fragen
ask-why = Die anderen Kliniken entscheiden nach Ihrem Zweck und Ihrem Nachweis, ob sie antworten dürfen. Beides wird bei jeder gefragten Klinik protokolliert.
ask-evidence = Besuch oder Termin
ask-evidence-none = Keiner – ich nenne unten den Grund
ask-reason = Grund
ask-reason-hint = Nur nötig ohne Besuch oder Termin. Der Patient kann ihn lesen.
ask-do = Jetzt fragen
ask-logged = Der Patient kann sehen, wer wann und warum gefragt hat.
ask-others = Andere Kliniken fragen
change-grounds = Ändern
only-own-record = Zu sehen ist nur die Akte dieser Klinik.

break-glass-title = Notfallzugriff
break-glass-open = Notfallzugriff
break-glass-warning = Nur wenn Leben oder Gesundheit in Gefahr sind und Warten nicht möglich ist.
break-glass-lasts = { $minutes ->
    [one] Er öffnet Zurückgehaltenes für { $minutes } Minute.
   *[other] Er öffnet Zurückgehaltenes für { $minutes } Minuten und endet dann von selbst.
}
break-glass-patient-told = Der Patient erfährt davon: Ihren Namen, die Zeit und Ihren Grund.
break-glass-officer-told = Der Datenschutz prüft jede Nutzung.
break-glass-logged = Alles, was Sie öffnen, wird bei jeder Klinik protokolliert.
break-glass-reason = Grund
break-glass-reason-hint = Was ist der Notfall, und was müssen Sie wissen? Der Patient und der Datenschutz lesen dies.
break-glass-understood = Mir ist bewusst, dass diese Nutzung gemeldet und geprüft wird.
break-glass-do = Akte öffnen
break-glass-is-open = Der Notfallzugriff ist offen bis
break-glass-is-watched = Der Patient und der Datenschutz erfahren davon.

record-title = Akte
record-sections = Abschnitte der Akte
record-summary = Übersicht
record-sources = Quellen
record-timeline = Verlauf
record-documents = Dokumente
record-encounters = Besuche
record-conflicts = { $count ->
    [one] Die Quellen widersprechen sich in { $count } Punkt
   *[other] Die Quellen widersprechen sich in { $count } Punkten
}
record-allergies = Allergien und Unverträglichkeiten
record-problems = Diagnosen
record-past-problems = { $count ->
    [one] { $count } frühere Diagnose
   *[other] { $count } frühere Diagnosen
}
record-medications = Medikation
record-past-medications = { $count ->
    [one] { $count } früheres Medikament
   *[other] { $count } frühere Medikamente
}
record-vitals = Vitalwerte
record-labs = Labor
record-procedures = Eingriffe
record-vaccinations = Impfungen
record-none = { $count ->
    [one] Bei der einen Quelle nichts eingetragen.
   *[other] Bei keiner der { $count } Quellen etwas eingetragen.
}
record-none-but-gaps = Bei den Quellen, die antworteten, nichts eingetragen. Es gibt Lücken.
record-none-yet = Bisher nichts. Die Quellen werden noch gefragt.
record-incomplete = Diese Akte hat Lücken.
record-gaps = Nicht alles kam von: { $names }. In jeder Liste unten kann etwas fehlen.

my-record-title = Meine Akte
my-summary = Überblick
my-sources = Woher Ihre Akte stammt
my-timeline = Was wann geschah
my-documents = Briefe und Dokumente
my-encounters = Besuche
my-conflicts = { $count ->
    [one] Die Kliniken haben { $count } Sache unterschiedlich eingetragen
   *[other] Die Kliniken haben { $count } Sachen unterschiedlich eingetragen
}
my-conflicts-explained = Das kommt vor und muss kein Fehler sein. Sprechen Sie es beim nächsten Besuch an.
my-allergies = Allergien
my-problems = Erkrankungen
my-past-problems = { $count ->
    [one] { $count } frühere Erkrankung
   *[other] { $count } frühere Erkrankungen
}
my-medications = Medikamente
my-past-medications = { $count ->
    [one] { $count } früheres Medikament
   *[other] { $count } frühere Medikamente
}
my-vitals = Messwerte
my-labs = Laborwerte
my-procedures = Eingriffe und Operationen
my-vaccinations = Impfungen
my-gaps = Nicht alles kam von: { $names }. Unten können Einträge fehlen.

sources-so-far = { $settled } von { $count } Quellen, bisher { $items ->
    [one] { $items } Eintrag
   *[other] { $items } Einträge
}
sources-settled = { $count ->
    [one] { $count } Quelle
   *[other] { $count } Quellen
}, { $items ->
    [one] { $items } Eintrag
   *[other] { $items } Einträge
}
as-of = Stand
source-here = diese Klinik
source-asking = wird gefragt
source-answered = { $count ->
    [one] hat geantwortet, { $count } Eintrag
   *[other] hat geantwortet, { $count } Einträge
}
source-no-match = kennt den Patienten nicht
source-possible-match = kennt den Patienten vielleicht
source-withheld = hält seine Akte zurück
source-timed-out = hat nicht rechtzeitig geantwortet
source-partial = { $count ->
    [one] sandte nur einen Teil: { $count } Eintrag
   *[other] sandte nur einen Teil: { $count } Einträge
}
source-partial-of = sandte { $count } von { $of } Einträgen
source-unreachable = nicht erreichbar
source-refused = konnte seine Identität nicht belegen
source-not-asked = nicht gefragt: dort ist niemand wie dieser Patient bekannt
sources-not-asked-help = Einige Häuser wurden nicht gefragt, weil dort nach dem, was sie ohne Namen veröffentlicht haben, niemand wie dieser Patient bekannt ist.
sources-everybody = Trotzdem alle fragen
source-review = Vergleichen und entscheiden
source-again = Noch einmal fragen
from-sources = von
sources-agree = { $count ->
    [one] { $count } Quelle
   *[other] { $count } Quellen stimmen überein
}
sources-disagree = Quellen widersprechen sich
live-fault = Die Verbindung wurde unterbrochen. Was zu sehen ist, kann unvollständig sein.
load-complete = Vollständige Akte laden

conflict-allergy-denied = Allergie, oder keine bekannt?
conflict-allergy-status = Allergie aktuell oder vergangen?
conflict-blood-group = verschiedene Blutgruppen
conflict-person = verschiedene Personalien
conflict-medication-stopped = eingenommen oder abgesetzt?
conflict-dose = verschiedene Dosierungen
conflict-problem-status = aktuell oder vergangen?
conflict-result = verschiedene Werte einer Messung
conflict-retracted = laut einer Quelle irrtümlich eingetragen
advice-allergy = Bis zur Klärung wie bei Allergie behandeln.
advice-blood-group = Auf keine verlassen. Blutgruppe neu bestimmen.
advice-person = Vergewissern Sie sich, dass es dieselbe Person ist.
advice-medication-stopped = Fragen Sie, ob der Patient es noch nimmt.
advice-dose = Klären Sie, welche Dosis der Patient nimmt.
advice-problem-status = Fragen Sie den Patienten, und berichtigen Sie wenn nötig den eigenen Eintrag.
advice-check = Prüfen Sie es, bevor Sie sich darauf verlassen.

measure-name = Messung
measure-latest = Zuletzt
measure-trend = Verlauf
measure-when-and-from = Datum und Quelle
measure-from = Quelle

more = { $count ->
    [one] { $count } weiteren zeigen
   *[other] { $count } weitere zeigen
}
document-cut = Der Text ist bei seiner Quelle länger.
record-observations = Weitere Beobachtungen
record-unlisted = Außerdem in der Akte:
document-open = Dokument öffnen
document-absent = Die Quelle nennt dieses Dokument, hat aber keinen Inhalt gesandt.
visit-when = Wann
visit-class = Art
visit-reason = Grund
visit-place = Ort
