# Anmeldung und zweiter Faktor.
sign-in = Anmelden
sign-in-wrong = Name, Passwort oder Code ist nicht richtig.
sign-in-logged = Jeder Zugriff auf eine Akte wird protokolliert, und der Patient kann das Protokoll lesen.
username = Benutzername
password = Passwort
code = Code
code-hint = Sechs Ziffern aus Ihrer Authentifizierungs-App.
code-optional = Code (freiwillig)
code-optional-hint = Wenn Sie ihn jetzt eingeben, werden Sie fünf Minuten lang nicht erneut gefragt.
throttled = { $minutes ->
    [one] Zu viele Versuche. Bitte warten Sie { $minutes } Minute.
   *[other] Zu viele Versuche. Bitte warten Sie { $minutes } Minuten.
}
step-up-title = Bestätigen Sie, dass Sie es sind
step-up-other-organisations = Sie möchten andere Kliniken fragen. Diese antworten nur, wenn Sie Ihre Identität in den letzten fünf Minuten bestätigt haben.
step-up-break-glass = Ein Notfallzugriff braucht einen zweiten Faktor aus den letzten fünf Minuten.
step-up-permission = Sie möchten entscheiden, wer Ihre Akte sehen darf. Bitte bestätigen Sie, dass Sie es sind.
step-up-change = Dies ändert, wie die Klinik mit anderen zusammenarbeitet. Bitte bestätigen Sie, dass Sie es sind.
step-up-app = Eine App möchte sicher sein, dass Sie es sind. Bitte bestätigen Sie es.
step-up-returns = Danach kommen Sie dorthin zurück, wo Sie waren.
not-now = Nicht jetzt
outside-sign-in = Mit { $provider } anmelden
outside-step-up = Mit { $provider } bestätigen
outside-onward-title = Sie werden weitergeleitet
outside-refused-title = Das hat nicht geklappt
outside-back = Zurück
outside-subject = Ihr Konto dort
outside-how-to-link = Melden Sie sich hier auf andere Weise an, öffnen Sie „Meine Anmeldung“ und verknüpfen Sie dort das Konto. Wenn das nicht geht, geben Sie der IT Ihres Krankenhauses diese beiden Zeilen; sie kann es verknüpfen, wenn sie weiß, dass Sie es sind.
outside-expired = Diese Antwort gehört zu keiner Anfrage dieses Browsers: Sie hat länger als zehn Minuten gedauert, wurde schon verwendet oder anderswo begonnen. Bitte beginnen Sie neu.
outside-mix-up = Die Antwort kommt von einer anderen Organisation als der gefragten. Niemand wurde angemeldet. Bitte beginnen Sie neu und sagen Sie der IT Ihres Krankenhauses Bescheid, wenn es wieder geschieht.
outside-denied = Sie wurden dort nicht angemeldet oder haben abgebrochen.
outside-unreachable = Die andere Organisation ist nicht erreichbar oder antwortet nicht, wie sie soll. Melden Sie sich auf andere Weise an oder versuchen Sie es später.
outside-refused = Dem, was die andere Organisation gesendet hat, war nicht zu trauen, also wurde niemand angemeldet. Bitte beginnen Sie neu und sagen Sie der IT Ihres Krankenhauses Bescheid, wenn es wieder geschieht.
outside-too-long-ago = Sie haben sich dort vor zu langer Zeit angemeldet, oder die andere Organisation sagt nicht, wann. Melden Sie sich dort ab und beginnen Sie neu.
outside-not-linked = Sie sind dort angemeldet, aber kein Konto dieses Krankenhauses ist mit Ihrem dortigen verknüpft.
outside-taken = Jenes Konto ist schon mit einem anderen Konto dieses Krankenhauses verknüpft. Die Verknüpfung muss dort erst entfernt werden.
outside-too-many = Sie haben so viele Verknüpfungen, wie ein Konto haben darf. Entfernen Sie erst eine.
outside-another = Dort ist jemand anderes angemeldet. Melden Sie sich dort ab und versuchen Sie es noch einmal.
outside-no-second-factor = Die andere Organisation sagt nicht, dass Sie einen zweiten Faktor verwendet haben. Nehmen Sie einen Passkey oder Code dieses Krankenhauses.
outside-passkey-needed = Ihre Rolle braucht einen Passkey dieses Krankenhauses. Die andere Organisation kann ihn nicht ersetzen.
outside-sign-in-needed = Sie haben sich vor mehr als fünf Minuten angemeldet. Melden Sie sich ab, wieder an und verknüpfen Sie das Konto sofort.
