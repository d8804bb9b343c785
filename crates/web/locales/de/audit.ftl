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

access-authority = Erlaubt durch:
authority-own-request = Ihre eigene Anfrage
authority-emergency = Notfallzugriff, den der Datenschutz prüft
authority-permission = eine Einwilligung von Ihnen
authority-rules = die Regeln der Klinik für diesen Zweck
proof-cosigned = { $count ->
    [one] von einer anderen Klinik bezeugt
   *[other] von { $count } anderen Kliniken bezeugt
}
proof-waiting = noch nicht gegengezeichnet
proof-absent = kein Beweis für diese Zeile
proof-broken = der Beweis hält nicht
proof-download = Beweis herunterladen
proof-help = Eine bezeugte Zeile lässt sich nicht mehr ändern oder entfernen, ohne dass andere Kliniken es merken. Die heruntergeladene Datei zeigt das jedem, auch ohne diese Klinik.
objection = Ihr Einspruch
object-to-this = Widersprechen
object-title = Einem Zugriff widersprechen
object-lead = Der Datenschutz von { $hospital } muss Ihnen innerhalb von { $days } Tagen antworten.
object-reason = Was daran nicht stimmt, in Ihren Worten
object-do = Einspruch senden
my-objections-lead = Wem Sie widersprochen haben, wer antworten muss und was die Antwort war.
my-objections-none = Sie haben nichts widersprochen. Sie können es von der Liste aus tun, wer Ihre Akte sah.
objection-answer = Antwort:
objection-due = Antwort fällig bis
standing-sent = unterwegs
standing-received = eingegangen
standing-overdue = überfällig
standing-upheld = berechtigt
standing-rejected = nicht berechtigt
standing-confirmed = bestätigt
standing-not-taken = der Knoten dieser Klinik nimmt das nicht an; schreiben Sie ihr
objections-title = Einsprüche von Patienten
objections-lead = Ein Patient widerspricht einem Zugriff, der im Protokoll dieser Klinik steht. Die Antwort sieht der Patient.
objections-waiting = Zu beantworten
objections-none-waiting = Kein Einspruch wartet auf Antwort.
objections-answered = Beantwortet
objections-none-answered = Noch nichts beantwortet.
objection-of = Patient
objection-through = über
objection-access = Zum Zugriff von
objection-answer-for-patient = Antwort für den Patienten
objection-answer-do = Antworten

reconciliation-title = Protokolle im Vergleich
reconciliation-lead = Einmal am Tag vergleichen zwei Kliniken, was ihre Protokolle über die Anfragen zwischen ihnen sagen. Eine Antwort ohne Frage ist ein Alarm.
gaps = Antworten ohne Frage
gaps-none = Jede Antwort hat ihre Frage.
gap-here = { $name } sagt, dieser Klinik geantwortet zu haben, und das Protokoll hier hat keine solche Frage.
gap-there = Diese Klinik hat { $name } geantwortet, und { $name } zeigt keine solche Frage.
gap-closed = Erklärt:
gap-reason = Wie es sich erklärt
gap-close = Offenes mit { $name } schließen
compared-until = Verglichen bis
compared-entries = Einträge
compared-failed = Vergleich nicht möglich

recalls-title = Rückrufe
recalls-lead = Wurden zwei Menschen verwechselt, erfährt es jede Klinik, die etwas erhielt, entfernt es und bestätigt das.
recalls-none = Nichts wurde zurückgerufen.
recall-patient = Kennung des Patienten hier
recall-recipient = Empfänger
recall-standing = Stand
recall-told = Mitgeteilt
recall-due = fällig bis
recall-declare = Rückruf erklären
recall-declare-help = Wenn die Akte dieses Patienten die eines anderen Menschen enthält oder als dessen Akte weitergegeben wurde. Das Lösen einer Zuordnung bewirkt das von selbst.
recall-reason = Was geschehen ist
recall-do = Alle Empfänger benachrichtigen

notices-none = Es gibt nichts, was Sie wissen müssen.
notice-confused = Was { $hospital } zu diesem Patienten sandte, gehörte zu einem anderen Menschen.
notice-confused-help = Sie haben diese Akte geöffnet. Verlassen Sie sich nicht auf das, was Sie dort von dieser Klinik gelesen haben; sehen Sie noch einmal nach.
notice-open-record = Akte öffnen

# Einwilligungen auf Papier.
papers-title = Einwilligungen auf Papier
papers-lead = Hier erfassen Sie, was jemand auf Papier unterschrieben hat. Es gilt ab dem Tag der Unterschrift, geht an alle Kliniken, und die Patientin oder der Patient sieht es mit dem Scan.
paper-new = Ein Papier erfassen
paper-number = Patientennummer
paper-number-hint = Wie auf dem Papier: Nummer der Akte oder der Versicherung.
paper-born = Geburtsdatum
paper-about = Wen es betrifft
paper-choose = Bitte wählen
paper-person = Nur eine Person
paper-person-hint = Der Name, wenn das Papier eine Person und keine Klinik betrifft.
paper-decision = Was es entscheidet
paper-signed-on = Unterschrieben am
paper-representative = Unterschrieben von
paper-representative-hint = Nur wenn jemand anderes unterschrieben hat: der Name.
paper-preview = Zeigen, was sich ändert
paper-check = Was dieses Papier ändert
paper-only-here = Das ändert sich für Daten dieser Klinik. Andere Kliniken entscheiden nach derselben Einwilligung.
paper-scan = Scan
paper-scan-hint = PDF oder JPEG, höchstens 768 kB.
paper-verified = Mit dem Erfassen bestätigen Sie, dass Sie Unterschrift und Person mit dem Papier verglichen haben.
paper-save = Erfassen
papers-recorded = Erfasst
papers-none = Noch kein Papier ist erfasst.
paper-in-force = gilt
paper-ended = beendet
paper-patient = Patient { $id }
paper-signed = unterschrieben am
paper-end = Beenden
