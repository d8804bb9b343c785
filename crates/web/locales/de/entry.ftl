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
