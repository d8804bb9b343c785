# Buscar pacientes, consultar, y la historia clínica.
find-title = Buscar paciente
find-anything = Nombre, fecha de nacimiento o identificador
find-do = Buscar
find-narrow = Acotar la búsqueda
find-name = Nombre
find-birth-date = Fecha de nacimiento
find-birth-date-hint = Año-mes-día, por ejemplo 1961-02-28
find-identifier = Identificador
find-place = Residencia
find-results = { $count ->
    [one] { $count } paciente
   *[other] { $count } pacientes
}
find-none = No se ha encontrado a nadie. Revise la ortografía o pruebe solo con la fecha de nacimiento.
find-more = Hay más. Acote la búsqueda para verlos.
age = Edad
sex = Sexo
deceased = fallecido
patient = Paciente
born = Nacimiento
died = Fallecimiento
died-date-unknown = fecha desconocida
phone = Teléfono
address = Dirección
purpose = Finalidad

ask-title = Consultar a los otros hospitales
ask-why = Los otros hospitales deciden por su finalidad y su justificación si pueden responder. Ambas quedan registradas en cada hospital consultado.
ask-evidence = Visita o cita
ask-evidence-none = Ninguna: indico el motivo más abajo
ask-reason = Motivo
ask-reason-hint = Solo hace falta si no hay visita ni cita. El paciente puede leerlo.
ask-do = Consultar
ask-logged = El paciente puede ver quién consultó, cuándo y por qué.
ask-others = Consultar a los otros hospitales
change-grounds = Cambiar
only-own-record = Solo se muestra la historia de este hospital.

break-glass-title = Acceso de emergencia
break-glass-open = Acceso de emergencia
break-glass-warning = Úselo solo cuando la vida o la salud estén en peligro y no se pueda esperar.
break-glass-lasts = { $minutes ->
    [one] Abre lo retenido durante { $minutes } minuto.
   *[other] Abre lo retenido durante { $minutes } minutos y luego se cierra por sí solo.
}
break-glass-patient-told = Se informa al paciente: su nombre, la hora y el motivo.
break-glass-officer-told = El responsable de privacidad revisa cada uso.
break-glass-logged = Todo lo que abra queda registrado en cada hospital.
break-glass-reason = Motivo
break-glass-reason-hint = ¿Cuál es la emergencia y qué necesita saber? Lo leen el paciente y el responsable de privacidad.
break-glass-understood = Entiendo que este uso se comunica y se revisa.
break-glass-do = Abrir la historia
break-glass-is-open = El acceso de emergencia está abierto hasta las
break-glass-is-watched = Se informa al paciente y al responsable de privacidad.

record-title = Historia clínica
record-sections = Secciones de la historia
record-summary = Resumen
record-sources = Fuentes
record-timeline = Cronología
record-documents = Documentos
record-encounters = Visitas
record-conflicts = { $count ->
    [one] Las fuentes discrepan en { $count } punto
   *[other] Las fuentes discrepan en { $count } puntos
}
record-allergies = Alergias e intolerancias
record-problems = Problemas
record-past-problems = { $count ->
    [one] { $count } problema pasado
   *[other] { $count } problemas pasados
}
record-medications = Medicación
record-past-medications = { $count ->
    [one] { $count } medicamento anterior
   *[other] { $count } medicamentos anteriores
}
record-vitals = Constantes vitales
record-labs = Laboratorio
record-procedures = Procedimientos
record-vaccinations = Vacunas
record-none = { $count ->
    [one] Nada anotado en la única fuente.
   *[other] Nada anotado en ninguna de las { $count } fuentes.
}
record-none-but-gaps = Nada anotado en las fuentes que respondieron. Hay lagunas.
record-none-yet = Nada por ahora. Todavía se está preguntando a las fuentes.
record-incomplete = Esta historia tiene lagunas.
record-gaps = No ha llegado todo de: { $names }. Puede faltar algo en cada una de las listas siguientes.

my-record-title = Mi historia clínica
my-summary = Resumen
my-sources = De dónde viene su historia
my-timeline = Qué pasó y cuándo
my-documents = Cartas y documentos
my-encounters = Visitas
my-conflicts = { $count ->
    [one] Los hospitales anotaron { $count } cosa de forma distinta
   *[other] Los hospitales anotaron { $count } cosas de forma distinta
}
my-conflicts-explained = Puede pasar, y no tiene por qué ser un error. Coméntelo en su próxima visita.
my-allergies = Alergias
my-problems = Problemas de salud
my-past-problems = { $count ->
    [one] { $count } problema anterior
   *[other] { $count } problemas anteriores
}
my-medications = Medicamentos
my-past-medications = { $count ->
    [one] { $count } medicamento anterior
   *[other] { $count } medicamentos anteriores
}
my-vitals = Mediciones
my-labs = Resultados de análisis
my-procedures = Procedimientos y operaciones
my-vaccinations = Vacunas
my-gaps = No ha llegado todo de: { $names }. Pueden faltar algunas entradas.

sources-so-far = { $settled } de { $count } fuentes, { $items ->
    [one] { $items } entrada
   *[other] { $items } entradas
} hasta ahora
sources-settled = { $count ->
    [one] { $count } fuente
   *[other] { $count } fuentes
}, { $items ->
    [one] { $items } entrada
   *[other] { $items } entradas
}
as-of = a fecha de
source-here = este hospital
source-asking = preguntando
source-answered = { $count ->
    [one] ha respondido, { $count } entrada
   *[other] ha respondido, { $count } entradas
}
source-no-match = no conoce a este paciente
source-possible-match = quizá conozca a este paciente
source-withheld = retiene su historia
source-timed-out = no respondió a tiempo
source-partial = { $count ->
    [one] envió solo una parte: { $count } entrada
   *[other] envió solo una parte: { $count } entradas
}
source-partial-of = envió { $count } de { $of } entradas
source-unreachable = no se puede contactar
source-refused = no pudo probar su identidad
source-not-asked = no consultado: allí no se conoce a nadie como este paciente
sources-not-asked-help = Algunos hospitales no fueron consultados, porque según lo que han publicado sin nombres no conocen a nadie como este paciente.
sources-everybody = Consultar a todos de todos modos
source-review = Comparar y decidir
source-again = Preguntar de nuevo
from-sources = de
sources-agree = { $count ->
    [one] { $count } fuente
   *[other] { $count } fuentes coinciden
}
sources-disagree = las fuentes discrepan
live-fault = La conexión se ha interrumpido. Lo que se muestra puede estar incompleto.
load-complete = Cargar la historia completa

conflict-allergy-denied = ¿alergia, o ninguna conocida?
conflict-allergy-status = ¿alergia presente o pasada?
conflict-blood-group = grupos sanguíneos distintos
conflict-person = datos personales distintos
conflict-medication-stopped = ¿se toma o se suspendió?
conflict-dose = dosis distintas
conflict-problem-status = ¿presente o pasado?
conflict-result = valores distintos de una medición
conflict-retracted = anotado por error según una fuente
advice-allergy = Trate como alérgico hasta que se aclare.
advice-blood-group = No se fíe de ninguno. Determine de nuevo el grupo sanguíneo.
advice-person = Asegúrese de que es la misma persona.
advice-medication-stopped = Pregunte si el paciente todavía lo toma.
advice-dose = Confirme qué dosis toma el paciente.
advice-problem-status = Pregunte al paciente y, si hace falta, corrija su propia anotación.
advice-check = Compruébelo antes de fiarse.

measure-name = Medición
measure-latest = Último
measure-trend = Evolución
measure-when-and-from = Fecha y fuente
measure-from = Fuente

more = { $count ->
    [one] Mostrar { $count } más
   *[other] Mostrar { $count } más
}
document-cut = El texto es más largo en su fuente.
record-observations = Otras observaciones
record-unlisted = También en la historia:
document-open = Abrir el documento
document-absent = La fuente nombra este documento, pero no envió su contenido.
visit-when = Cuándo
visit-class = Tipo
visit-reason = Motivo
visit-place = Lugar
