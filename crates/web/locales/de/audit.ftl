# Wer eine Akte sah: Zugriffe, Prüfungen von Notfallzugriffen, Ablehnungen.
accesses-title = Wer meine Akte sah
accesses-lead = Jeder Blick in Ihre Akte, in jeder Klinik, mit dem Grund, der angegeben wurde.
accesses-missing = Zugriffe bei { $names } sind gerade nicht zu sehen.
accesses-none = Noch hat niemand in Ihre Akte gesehen.
accesses-question = Wenn Sie hier etwas überrascht, fragen Sie den Datenschutz der Klinik.
access-emergency = Notfallzugriff
access-refused = abgelehnt
access-nothing-shown = Es wurde nichts gezeigt
access-seen = Gesehen:
access-held-by = gespeichert bei
seen-unknown = Ihre Akte

reviews-title = Notfallzugriffe prüfen
reviews-waiting = Zu prüfen
reviews-none-waiting = Es gibt nichts zu prüfen.
reviews-done = Geprüft
reviews-none-done = Noch keine Prüfungen.
use-reason = Angegebener Grund
use-patient-told = Patient informiert
review-outcome = Ergebnis
review-choose = Bitte wählen…
review-comment = Bemerkung
review-do = Als geprüft vermerken
outcome-justified = Gerechtfertigt
outcome-in-clarification = In Klärung
outcome-not-justified = Nicht gerechtfertigt

denials-title = Abgelehnte Anfragen
denials-lead = Anfragen, die diese Klinik nicht beantwortet hat, und die Regel, die dagegen stand.
denials-none = Keine Anfrage wurde abgelehnt.
denial-when = Wann
denial-who = Wer fragte
denial-ground = Warum abgelehnt
ground-consent = Einwilligung des Patienten
ground-policy = Rolle oder Zweck
ground-authentication = Zweiter Faktor fehlt oder ist zu alt
ground-evidence = Kein Nachweis eines Grundes
ground-identity = Identität der fragenden Klinik nicht belegt
ground-other = Andere Regel

witnesses-title = Protokolle und ihre Zeugen
witnesses-lead = Kliniken zeichnen jede Minute gegenseitig ihre Zugriffsprotokolle gegen. Ein Protokoll, das danach geändert wird, passt nicht mehr zu dem, was gegengezeichnet wurde.
alarms = Alarme
alarms-none = Jedes Protokoll passt zu dem, was gegengezeichnet wurde.
alarm-rewritten = Das Protokoll von { $log } wurde umgeschrieben: Mit { $offered } Einträgen setzt es die { $cosigned } nicht fort, die { $witness } gegengezeichnet hat.
alarm-shortened = Das Protokoll von { $log } wurde gekürzt: Es hat { $offered } Einträge, und { $witness } hat { $cosigned } gegengezeichnet.
alarm-evidence = Beide Prüfpunkte hat die Klinik unterschrieben, deren Protokoll es ist. Bewahren Sie sie als Beweis auf, und fragen Sie dort den Datenschutz.
alarm-cosigned-note = Gegengezeichneter Prüfpunkt
alarm-offered-note = Später vorgelegter Prüfpunkt
alarm-accept = Protokoll annehmen, wie es jetzt ist
alarm-accept-help = Ist das Protokoll aus einem bekannten Grund kürzer, etwa nach dem Einspielen einer Sicherung, kann es angenommen werden. Was davon gegengezeichnet wurde, gilt dann nicht mehr; der Beweis bleibt hier.
alarm-accept-reason = Warum es angenommen wird
alarm-accepted = Angenommen:
watched = Kliniken
watched-theirs = Deren Protokoll, hier gegengezeichnet
watched-ours = Unser Protokoll, dort gegengezeichnet
watched-entries = { $count ->
    [one] ein Eintrag
   *[other] { $count } Einträge
}
