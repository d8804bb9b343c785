# Lo que las instituciones tienen para la investigación.
nav-catalog = Conjuntos de datos
catalog-title = Conjuntos de datos de la red
catalog-all = Conjuntos de datos de todas las instituciones
catalog-lead = Lo que las instituciones tienen para la investigación, en palabras y en recuentos redondeados con ruido. Ninguna fila se muestra aquí ni sale de una institución.
catalog-words = Palabras
catalog-find = Buscar
catalog-holder = Institución
catalog-any = Cualquiera
catalog-variable = Variable
catalog-empty = No se conoce ningún conjunto de datos que corresponda.
catalog-holders = Quién lo tiene
catalog-people = Personas
catalog-people-about = unas { $count } (± { $margin })
catalog-people-fewer = menos de { $count }
catalog-complete = Valores presentes
catalog-complete-help = Las barras muestran, con redondeo, en qué proporción de las filas hay un valor. Donde hay muy pocas personas no se dice nada.
catalog-untold = no se dice
catalog-heard = A fecha de
catalog-here = esta institución
catalog-unreached = no accesible por ahora
catalog-silent = Miembros no accesibles o que aún no han informado
catalog-last = informó por última vez
catalog-never = aún no ha informado
catalog-refresh = Preguntar de nuevo a todos
catalog-apply = Solicitar un proyecto con él
catalog-values = Valores
catalog-period = Periodo
catalog-systems = Sistemas de códigos
catalog-conditions = Condiciones
catalog-contact = Contacto
catalog-version = Versión
catalog-documents = Para programas:
project-next = Siguiente
project-other-dataset = Elegir otro
project-adder = Suma
project-other-adder = También suma
catalog-found = { $count ->
    [one] un conjunto de datos
   *[other] { $count } conjuntos de datos
}
catalog-variables = { $count ->
    [one] una variable
   *[other] { $count } variables
}
catalog-more = { $count ->
    [one] Hay uno más que no se muestra; búsquelo.
   *[other] Hay { $count } más que no se muestran; búsquelos.
}
analysis-regression = Regresión
analysis-summary = Números, medias y desviaciones
analysis-crosstab = Recuentos por categorías
analysis-histogram = Histogramas
analysis-quantiles = Cuantiles
analysis-t-test = Prueba t
analysis-paired-t = Prueba t pareada
analysis-anova = Análisis de varianza
analysis-chi-squared = Prueba χ²
analysis-correlation = Correlación
analysis-rank-sum = Prueba de suma de rangos
analysis-survival = Curvas de supervivencia
analysis-mixed = Modelos mixtos
analysis-weighting = Ponderación por propensión
analysis-pca = Componentes principales
analysis-k-means = Agrupamientos
analysis-validation = Validación de predicciones
analysis-boosting = Árboles potenciados
analysis-perceptron = Redes neuronales pequeñas
analysis-meta-analysis = Metaanálisis
analysis-two-stage = Regresión en cada institución y luego combinada
analysis-sql = SQL sobre los registros, solo grupos de personas
analysis-extract = Extractos: historias desidentificadas de personas individuales, como archivos en cada institución consultada
dataset-size-few = { $variables } variables, menos de 10 filas
twin-title = Gemelo sintético
twin-lead = Filas inventadas que se parecen a las del conjunto de datos y no pertenecen a nadie. Escriba y pruebe con ellas su análisis fuera; después pregunte al propio conjunto en un proyecto.
twin-facts = ε = { $epsilon }, { $rows ->
    [one] una fila
   *[other] { $rows } filas
}
twin-take = Descargar como CSV
twin-elsewhere = Se obtiene allí, con sesión iniciada en esa institución:
twin-first = Sus primeras filas, todas inventadas
twin-pairs = Se conserva la relación entre estas variables:
twin-help = Las filas se extrajeron de recuentos con ruido. El aspecto de cada variable es aproximadamente correcto, igual que las relaciones nombradas; todo lo demás es como al azar. De un gemelo no debe concluirse nada sobre personas.
