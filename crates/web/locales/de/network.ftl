# Die Seite des Betriebs.
network-title = Netz
answering-is-on = Dieser Knoten antwortet den anderen
answering-is-on-help = Schalten Sie dies bei Wartungsarbeiten aus. Die anderen nennen diese Klinik dann nicht erreichbar; nichts geht verloren.
answering-is-off = Dieser Knoten antwortet den anderen nicht
answering-is-off-help = Die anderen nennen diese Klinik nicht erreichbar. Sendungen warten bei ihren Absendern, bis Sie es einschalten.
answering-turn-off = Nicht mehr antworten
answering-turn-on = Wieder antworten
peers = Andere Knoten
peers-none = Dieses Netz hat noch kein weiteres Mitglied.
peer = Knoten
peer-state = Zustand
peer-answered = Letzte Antwort
peer-latency = Übliche Dauer
peer-address = Adresse
peer-up = antwortet
peer-slow = langsam
peer-down = antwortet nicht
peer-wrong-key = falscher Schlüssel
peer-not-asked = noch nicht gefragt
queues = Wartende Sendungen
queues-none = Keine Sendung wartet.
queue-waiting = Wartend
queue-oldest = Älteste
queue-next = Nächster Versuch
letters = Aufgegebene Sendungen
letters-none = Keine Sendung wurde aufgegeben.
letter-attempts = { $count ->
    [one] { $count } Versuch
   *[other] { $count } Versuche
}
letter-subscription = Abonnement
letter-waiting = { $count ->
    [one] { $count } Ereignis wartet
   *[other] { $count } Ereignisse warten
}
letter-again = Noch einmal
locator = Verzeichnis der Fundorte
locator-off = Dieser Knoten fragt jedes Mitglied unmittelbar.
locator-refuse = Dieser Knoten veröffentlicht nichts; andere fragen ihn unmittelbar.
locator-epoch = Zeitraum
locator-rotated = Schlüssel seit
locator-rotates = Schlüssel wechseln
locator-keys = Für andere verwahrte Schlüssel
locator-to = Veröffentlicht an
locator-from = Erhalten von
locator-none = niemand
locator-records = Akten
locator-state = Stand
locator-complete = vollständig
locator-under-way = unterwegs
locator-at = Zuletzt gehört
store = Speicher
store-resources = Ressourcen
store-versions = Versionen
store-bytes = Auf der Platte
store-sequence = Letzte Änderung
store-by-type = Nach Typ
store-type = Typ
audit = Protokoll
audit-entries = Einträge
audit-last = Letzter Eintrag
audit-hash = Hash des letzten Eintrags
audit-verify = Ganzes Protokoll prüfen
audit-sound = Alle { $count } Einträge sind unversehrt.
audit-broken = Eintrag { $number } ist nicht, wie er geschrieben wurde.
audit-empty = Das Protokoll ist leer.
