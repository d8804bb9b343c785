# Was die Einrichtungen für die Forschung haben.
nav-catalog = Datensätze
catalog-title = Datensätze des Netzwerks
catalog-all = Datensätze aller Einrichtungen
catalog-lead = Was die Einrichtungen für die Forschung haben, in Worten und in gerundeten, verrauschten Zahlen. Keine Zeile wird hier gezeigt oder verlässt eine Einrichtung.
catalog-words = Wörter
catalog-find = Suchen
catalog-holder = Einrichtung
catalog-any = Alle
catalog-variable = Variable
catalog-empty = Es ist kein passender Datensatz bekannt.
catalog-holders = Wer ihn hat
catalog-people = Menschen
catalog-people-about = etwa { $count } (± { $margin })
catalog-people-fewer = weniger als { $count }
catalog-complete = Vorhandene Werte
catalog-complete-help = Die Balken zeigen gerundet, in welchem Anteil der Zeilen ein Wert steht. Wo es zu wenige Menschen sind, wird nichts gesagt.
catalog-untold = nicht gesagt
catalog-heard = Stand
catalog-here = diese Einrichtung
catalog-unreached = zurzeit nicht erreichbar
catalog-silent = Mitglieder, die nicht erreichbar sind oder noch nichts gesagt haben
catalog-last = zuletzt gesagt
catalog-never = hat noch nichts gesagt
catalog-refresh = Alle Mitglieder neu fragen
catalog-apply = Ein Vorhaben damit beantragen
catalog-values = Werte
catalog-period = Zeitraum
catalog-systems = Codesysteme
catalog-conditions = Bedingungen
catalog-contact = Kontakt
catalog-version = Version
catalog-documents = Für Programme:
project-next = Weiter
project-other-dataset = Einen anderen wählen
project-adder = Zählt zusammen
project-other-adder = Zählt auch zusammen
catalog-found = { $count ->
    [one] ein Datensatz
   *[other] { $count } Datensätze
}
catalog-variables = { $count ->
    [one] eine Variable
   *[other] { $count } Variablen
}
catalog-more = { $count ->
    [one] Einer mehr ist nicht zu sehen; suchen Sie danach.
   *[other] { $count } weitere sind nicht zu sehen; suchen Sie danach.
}
analysis-regression = Regression
analysis-summary = Anzahlen, Mittelwerte und Streuungen
analysis-crosstab = Anzahlen nach Kategorien
analysis-histogram = Histogramme
analysis-quantiles = Quantile
analysis-t-test = t-Test
analysis-paired-t = Gepaarter t-Test
analysis-anova = Varianzanalyse
analysis-chi-squared = χ²-Test
analysis-correlation = Korrelation
analysis-rank-sum = Rangsummentest
analysis-survival = Überlebenskurven
analysis-mixed = Gemischte Modelle
analysis-weighting = Gewichtung nach Neigung
analysis-pca = Hauptkomponenten
analysis-k-means = Gruppenbildung
analysis-validation = Prüfung von Vorhersagen
analysis-boosting = Verstärkte Entscheidungsbäume
analysis-perceptron = Kleine neuronale Netze
analysis-meta-analysis = Metaanalyse
analysis-two-stage = Regression je Einrichtung, dann zusammengefasst
analysis-sql = SQL über die Akten, nur Gruppen von Menschen
analysis-extract = Auszüge: de-identifizierte Akten einzelner Menschen, als Dateien in jeder gefragten Einrichtung
dataset-size-few = { $variables } Variablen, weniger als 10 Zeilen
twin-title = Synthetischer Zwilling
twin-lead = Erfundene Zeilen, die denen des Datensatzes gleichen und niemandem gehören. Schreiben und erproben Sie Ihre Auswertung damit außerhalb; fragen Sie dann den Datensatz selbst in einem Vorhaben.
twin-facts = ε = { $epsilon }, { $rows ->
    [one] eine Zeile
   *[other] { $rows } Zeilen
}
twin-take = Als CSV herunterladen
twin-elsewhere = Dort erhältlich, angemeldet bei dieser Einrichtung:
twin-first = Seine ersten Zeilen, alle erfunden
twin-pairs = Der Zusammenhang dieser Variablen bleibt erhalten:
twin-help = Die Zeilen sind aus verrauschten Zahlen gezogen. Wie jede Variable aussieht, stimmt ungefähr, ebenso die genannten Zusammenhänge; alles andere ist wie zufällig. Aus einem Zwilling darf nichts über Menschen geschlossen werden.
