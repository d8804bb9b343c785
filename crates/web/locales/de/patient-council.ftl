# Für die, die zur Forschung für Patienten sprechen.
nav-patient-council = Patientenrat
role-representative = Spricht für Patienten
patient-council-title = Patientenrat
patient-council-lead = Diese Vorhaben wollen Summen über die Menschen dieser Einrichtung verwenden. Sie sagen für die Patienten, ob sie es dürfen.
patient-council-advice = Ihr Wort ist ein Rat an die, die entscheiden.
patient-council-needed = { $count ->
    [one] Die Einrichtung nimmt nur teil, wenn eine oder einer von Ihnen zustimmt und niemand widerspricht.
   *[other] Die Einrichtung nimmt nur teil, wenn { $count } von Ihnen zustimmen und niemand widerspricht.
}
patient-council-own = Ihr Wort
patient-council-open = Der Patientenrat hat nicht zugestimmt: { $agree } von { $needed } Mitgliedern haben es.
patient-council-agrees = { $agree ->
    [one] Der Patientenrat hat zugestimmt: ein Mitglied, und niemand widerspricht.
   *[other] Der Patientenrat hat zugestimmt: { $agree } Mitglieder, und niemand widerspricht.
}
patient-council-objects = { $object ->
    [one] Der Patientenrat widerspricht: ein Mitglied tut es.
   *[other] Der Patientenrat widerspricht: { $object } Mitglieder tun es.
}
council-what = Was gefragt wird, und warum
council-kinds = Was ausgerechnet wird, immer über viele Menschen zusammen:
council-program = Ein eigenes Programm der Forschenden: { $name }
council-extracts = Es fragt nach mehr als Summen: nach Auszügen. Das sind de-identifizierte Akten einzelner Menschen, als Dateien, die in dieser Einrichtung gemacht werden. Wer zur Forschung nein gesagt hat, ist nicht darin.
council-safes = Ist es sicher?
council-project = Das Vorhaben
council-project-is = Es fragt { $name }. Es dauert:
council-people = Die Menschen
council-people-are = Sie sind genannt, melden sich mit zwei Nachweisen an, und alles, was sie fragen, wird hier aufgeschrieben.
council-data = Die Daten
council-data-are = Der Datensatz „{ $name }“, der niemanden nennt, von: { $holders }. Wer zur Forschung nein gesagt hat, ist nicht darin.
council-place = Wo es geschieht
council-place-is = In jeder Einrichtung. Keine Akte und keine Zeile verlässt sie: nur Summen, in zwei Hälften eines Geheimnisses, zusammengezählt von { $aggregators }.
council-place-extracts = Für Auszüge gilt das nicht: Sie sind Dateien, und wer sie hat, kann sie weitergeben.
council-answers = Die Antworten
council-answers-are = Hinter jeder Antwort stehen mindestens { $sites } Einrichtungen und { $rows } Menschen.
council-return = Was Patienten davon haben
council-return-is = Auf ihrer Seite Forschung lesen sie, was gefragt wurde, was herauskam und wo es veröffentlicht wurde. Mehr als das können Sie zur Bedingung machen.
council-say = Ihr Wort
council-say-help = Sie können es ändern, solange das Vorhaben läuft. Hat die Einrichtung bewilligt und braucht sie Ihre Zustimmung, so beendet ein Widerspruch ihre Teilnahme sofort.
council-conditions = Unter welchen Bedingungen, oder warum nicht
council-conditions-hint = Alle, die teilnehmen, und alle Patienten lesen es, ohne Ihren Namen. Nennen Sie niemanden.
council-agree = Zustimmen
council-object = Widersprechen
council-agreed = stimmt zu
council-objected = widerspricht
council-silent = noch nichts
notice-council-said = Ihr Wort ist festgehalten.
