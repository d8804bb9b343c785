# Quién vio una historia: accesos, revisiones de accesos de emergencia, denegaciones.
accesses-title = Quién ha visto mi historia clínica
accesses-lead = Cada consulta de su historia, en cada hospital, con el motivo que se dio.
accesses-missing = Los accesos en { $names } no se pueden mostrar ahora.
accesses-none = Nadie ha consultado todavía su historia.
accesses-question = Si algo aquí le sorprende, pregunte al responsable de privacidad del hospital.
access-emergency = acceso de emergencia
access-refused = denegado
access-nothing-shown = No se mostró nada
access-seen = Visto:
access-held-by = guardado en
seen-unknown = su historia clínica

reviews-title = Accesos de emergencia por revisar
reviews-waiting = Pendientes de revisión
reviews-none-waiting = No hay nada pendiente de revisión.
reviews-done = Revisados
reviews-none-done = Todavía no hay revisiones.
use-reason = Motivo indicado
use-patient-told = Paciente informado
review-outcome = Resultado
review-choose = Elegir…
review-comment = Comentario
review-do = Marcar como revisado
outcome-justified = Justificado
outcome-in-clarification = En aclaración
outcome-not-justified = No justificado

denials-title = Consultas denegadas
denials-lead = Consultas que este hospital no respondió, y la regla que lo impidió.
denials-none = No se ha denegado ninguna consulta.
denial-when = Cuándo
denial-who = Quién consultó
denial-ground = Por qué se denegó
ground-consent = Consentimiento del paciente
ground-policy = Función o finalidad
ground-authentication = Segundo factor ausente o caducado
ground-evidence = Sin prueba de un motivo
ground-identity = Identidad del hospital que consulta no probada
ground-other = Otra regla

witnesses-title = Registros de auditoría y sus testigos
witnesses-lead = Los hospitales refrendan cada minuto los registros de auditoría de los demás. Un registro que se cambia después ya no concuerda con lo refrendado.
alarms = Alarmas
alarms-none = Cada registro concuerda con lo refrendado.
alarm-rewritten = El registro de { $log } fue reescrito: con { $offered } entradas no continúa las { $cosigned } que { $witness } refrendó.
alarm-shortened = El registro de { $log } fue recortado: tiene { $offered } entradas, y { $witness } refrendó { $cosigned }.
alarm-evidence = Ambos puntos de control están firmados por el hospital dueño del registro. Guárdelos como prueba y pregunte a su responsable de privacidad.
alarm-cosigned-note = Punto de control refrendado
alarm-offered-note = Punto de control presentado después
alarm-accept = Aceptar el registro tal como está ahora
alarm-accept-help = Si el registro es más corto por un motivo conocido, como restaurar una copia de seguridad, puede aceptarse. Lo refrendado deja de valer; la prueba queda aquí.
alarm-accept-reason = Por qué se acepta
alarm-accepted = Aceptado:
watched = Hospitales
watched-theirs = Su registro, refrendado aquí
watched-ours = Nuestro registro, refrendado allí
watched-entries = { $count ->
    [one] una entrada
   *[other] { $count } entradas
}
