# Términos codificados.
purpose-treatment = Tratamiento
purpose-emergency-treatment = Tratamiento de urgencia
purpose-break-the-glass = Acceso de emergencia
purpose-payment = Pago
purpose-operations = Calidad y gestión
purpose-patient-request = A petición del paciente
purpose-research = Investigación
purpose-public-health = Salud pública
purpose-other = Otra finalidad

purpose-plain-treatment = Para tratarle.
purpose-plain-emergency-treatment = Para tratarle en una urgencia.
purpose-plain-break-the-glass = En una emergencia, sin esperar el permiso.
purpose-plain-payment = Para tramitar el pago de su atención.
purpose-plain-operations = Para gestionar el hospital y comprobar la calidad de la atención.
purpose-plain-patient-request = Porque usted lo pidió.
purpose-plain-research = Para investigar.
purpose-plain-public-health = Para proteger la salud de la población.
purpose-plain-other = Con otra finalidad.

kind-person = Datos personales
kind-problem = Problema
kind-medication = Medicación
kind-allergy = Alergia
kind-result = Resultado
kind-report = Informe
kind-vaccination = Vacuna
kind-procedure = Procedimiento
kind-visit = Visita
kind-document = Documento
kind-imaging = Imagen
kind-plan = Plan de cuidados
kind-order = Solicitud
kind-billing = Facturación
kind-device = Dispositivo
kind-other = Otro

count-person = datos personales
count-problem = { $count ->
    [one] { $count } problema de salud
   *[other] { $count } problemas de salud
}
count-medication = { $count ->
    [one] { $count } medicamento
   *[other] { $count } medicamentos
}
count-allergy = { $count ->
    [one] { $count } alergia
   *[other] { $count } alergias
}
count-result = { $count ->
    [one] { $count } resultado
   *[other] { $count } resultados
}
count-report = { $count ->
    [one] { $count } informe
   *[other] { $count } informes
}
count-vaccination = { $count ->
    [one] { $count } vacuna
   *[other] { $count } vacunas
}
count-procedure = { $count ->
    [one] { $count } procedimiento
   *[other] { $count } procedimientos
}
count-visit = { $count ->
    [one] { $count } visita
   *[other] { $count } visitas
}
count-document = { $count ->
    [one] { $count } documento
   *[other] { $count } documentos
}
count-imaging = { $count ->
    [one] { $count } estudio de imagen
   *[other] { $count } estudios de imagen
}
count-plan = { $count ->
    [one] { $count } plan de cuidados
   *[other] { $count } planes de cuidados
}
count-order = { $count ->
    [one] { $count } solicitud
   *[other] { $count } solicitudes
}
count-billing = { $count ->
    [one] { $count } factura
   *[other] { $count } facturas
}
count-device = { $count ->
    [one] { $count } dispositivo
   *[other] { $count } dispositivos
}
count-other = { $count ->
    [one] { $count } entrada más
   *[other] { $count } entradas más
}

mark-active = activo
mark-recurrence = recidiva
mark-relapse = recaída
mark-inactive = inactivo
mark-remission = en remisión
mark-resolved = resuelto
mark-completed = completado
mark-stopped = suspendido
mark-on-hold = en pausa
mark-draft = borrador
mark-planned = previsto
mark-in-progress = en curso
mark-cancelled = cancelado
mark-entered-in-error = anotado por error
mark-not-done = no realizado
mark-final = definitivo
mark-preliminary = provisional
mark-amended = corregido
mark-unconfirmed = sin confirmar
mark-provisional = de sospecha
mark-refuted = descartado
mark-high-criticality = riesgo alto
mark-severe = grave
mark-unknown = estado desconocido

sex-female = Mujer
sex-male = Hombre
sex-other = Otro
sex-unknown = Se desconoce

age-years = { $count ->
    [one] { $count } año
   *[other] { $count } años
}
age-months = { $count ->
    [one] { $count } mes
   *[other] { $count } meses
}
age-days = { $count ->
    [one] { $count } día
   *[other] { $count } días
}

reference-between = referencia { $low } a { $high }
reference-above = referencia desde { $low }
reference-below = referencia hasta { $high }
reference-none = sin referencia
trend-empty = { $name }: sin valores
trend-description = { $name }: { $count ->
    [one] { $count } valor
   *[other] { $count } valores
} del { $from } al { $to }, mínimo { $low }, máximo { $high } { $unit }{ $reference }

flag-low = bajo
flag-high = alto
flag-critical-low = críticamente bajo
flag-critical-high = críticamente alto
flag-abnormal = anormal

visit-ambulatory = Consulta
visit-emergency = Urgencias
visit-inpatient = Hospitalización
visit-observation = Observación
visit-home = Visita a domicilio
visit-virtual = A distancia
visit-other = Otra
