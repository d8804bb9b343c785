# Kodierte Begriffe.
purpose-treatment = Behandlung
purpose-emergency-treatment = Notfallbehandlung
purpose-break-the-glass = Notfallzugriff
purpose-payment = Abrechnung
purpose-operations = Qualität und Betrieb
purpose-patient-request = Auf Wunsch des Patienten
purpose-research = Forschung
purpose-public-health = Öffentliche Gesundheit
purpose-other = Anderer Zweck

purpose-plain-treatment = Um Sie zu behandeln.
purpose-plain-emergency-treatment = Um Sie in einem Notfall zu behandeln.
purpose-plain-break-the-glass = In einem Notfall, ohne auf eine Erlaubnis zu warten.
purpose-plain-payment = Um Ihre Behandlung abzurechnen.
purpose-plain-operations = Um die Klinik zu führen und die Qualität der Versorgung zu prüfen.
purpose-plain-patient-request = Weil Sie darum gebeten haben.
purpose-plain-research = Für die Forschung.
purpose-plain-public-health = Um die Gesundheit der Bevölkerung zu schützen.
purpose-plain-other = Zu einem anderen Zweck.

kind-person = Personalien
kind-problem = Diagnose
kind-medication = Medikament
kind-allergy = Allergie
kind-result = Befund
kind-report = Bericht
kind-vaccination = Impfung
kind-procedure = Eingriff
kind-visit = Besuch
kind-document = Dokument
kind-imaging = Bildgebung
kind-plan = Behandlungsplan
kind-order = Auftrag
kind-billing = Abrechnung
kind-device = Gerät
kind-other = Sonstiges

count-person = Personalien
count-problem = { $count ->
    [one] { $count } Diagnose
   *[other] { $count } Diagnosen
}
count-medication = { $count ->
    [one] { $count } Medikament
   *[other] { $count } Medikamente
}
count-allergy = { $count ->
    [one] { $count } Allergie
   *[other] { $count } Allergien
}
count-result = { $count ->
    [one] { $count } Befund
   *[other] { $count } Befunde
}
count-report = { $count ->
    [one] { $count } Bericht
   *[other] { $count } Berichte
}
count-vaccination = { $count ->
    [one] { $count } Impfung
   *[other] { $count } Impfungen
}
count-procedure = { $count ->
    [one] { $count } Eingriff
   *[other] { $count } Eingriffe
}
count-visit = { $count ->
    [one] { $count } Besuch
   *[other] { $count } Besuche
}
count-document = { $count ->
    [one] { $count } Dokument
   *[other] { $count } Dokumente
}
count-imaging = { $count ->
    [one] { $count } Bildgebung
   *[other] { $count } Bildgebungen
}
count-plan = { $count ->
    [one] { $count } Behandlungsplan
   *[other] { $count } Behandlungspläne
}
count-order = { $count ->
    [one] { $count } Auftrag
   *[other] { $count } Aufträge
}
count-billing = { $count ->
    [one] { $count } Rechnung
   *[other] { $count } Rechnungen
}
count-device = { $count ->
    [one] { $count } Gerät
   *[other] { $count } Geräte
}
count-other = { $count ->
    [one] { $count } weiterer Eintrag
   *[other] { $count } weitere Einträge
}

mark-active = aktiv
mark-recurrence = wieder aufgetreten
mark-relapse = Rückfall
mark-inactive = inaktiv
mark-remission = in Remission
mark-resolved = abgeklungen
mark-completed = abgeschlossen
mark-stopped = abgesetzt
mark-on-hold = pausiert
mark-draft = Entwurf
mark-planned = geplant
mark-in-progress = läuft
mark-cancelled = abgesagt
mark-entered-in-error = irrtümlich eingetragen
mark-not-done = nicht erfolgt
mark-final = endgültig
mark-preliminary = vorläufig
mark-amended = berichtigt
mark-unconfirmed = unbestätigt
mark-provisional = Verdacht
mark-refuted = ausgeschlossen
mark-high-criticality = hohes Risiko
mark-severe = schwer
mark-unknown = Status unbekannt

sex-female = Weiblich
sex-male = Männlich
sex-other = Divers
sex-unknown = Unbekannt

age-years = { $count ->
    [one] { $count } Jahr
   *[other] { $count } Jahre
}
age-months = { $count ->
    [one] { $count } Monat
   *[other] { $count } Monate
}
age-days = { $count ->
    [one] { $count } Tag
   *[other] { $count } Tage
}

reference-between = Referenz { $low } bis { $high }
reference-above = Referenz ab { $low }
reference-below = Referenz bis { $high }
reference-none = keine Referenz
trend-empty = { $name }: keine Werte
trend-description = { $name }: { $count ->
    [one] { $count } Wert
   *[other] { $count } Werte
} vom { $from } bis { $to }, niedrigster { $low }, höchster { $high } { $unit }{ $reference }

flag-low = niedrig
flag-high = hoch
flag-critical-low = kritisch niedrig
flag-critical-high = kritisch hoch
flag-abnormal = auffällig

visit-ambulatory = Ambulant
visit-emergency = Notaufnahme
visit-inpatient = Stationär
visit-observation = Überwachung
visit-home = Hausbesuch
visit-virtual = Aus der Ferne
visit-other = Sonstiger
