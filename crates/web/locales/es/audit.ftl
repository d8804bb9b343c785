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

access-authority = Permitido por:
authority-own-request = su propia petición
authority-emergency = acceso de emergencia, que revisa la persona responsable de privacidad
authority-permission = un permiso que usted dio
authority-rules = las reglas del hospital para este fin
proof-cosigned = { $count ->
    [one] probado por otro hospital
   *[other] probado por otros { $count } hospitales
}
proof-waiting = aún sin refrendar
proof-absent = sin prueba para esta línea
proof-broken = la prueba no es válida
proof-download = Descargar la prueba
proof-help = Una línea probada ya no puede cambiarse ni borrarse sin que otros hospitales lo noten. El archivo descargado lo demuestra ante cualquiera, sin este hospital.
objection = Su objeción
object-to-this = Objetar
object-title = Objetar un acceso
object-lead = La persona responsable de privacidad de { $hospital } debe responderle en { $days } días.
object-reason = Qué tiene de malo, con sus palabras
object-do = Enviar la objeción
my-objections-lead = Qué objetó, quién debe responder y qué respondió.
my-objections-none = No ha objetado nada. Puede hacerlo desde la lista de quién ha visto su historia.
objection-answer = Respuesta:
objection-due = Respuesta antes del
standing-sent = en camino
standing-received = recibida
standing-overdue = fuera de plazo
standing-upheld = con razón
standing-rejected = sin razón
standing-confirmed = confirmada
standing-not-taken = el nodo de ese hospital no lo admite; escríbale
objections-title = Objeciones de pacientes
objections-lead = Un paciente objeta un acceso que consta en el registro de este hospital. El paciente ve la respuesta.
objections-waiting = Pendientes de respuesta
objections-none-waiting = Ninguna objeción espera respuesta.
objections-answered = Respondidas
objections-none-answered = Nada respondido todavía.
objection-of = Paciente
objection-through = a través de
objection-access = Sobre el acceso de
objection-answer-for-patient = Respuesta para el paciente
objection-answer-do = Responder

reconciliation-title = Registros comparados
reconciliation-lead = Una vez al día dos hospitales comparan lo que dicen sus registros de las peticiones entre ellos. Una respuesta sin pregunta es una alarma.
gaps = Respuestas sin pregunta
gaps-none = Cada respuesta tiene su pregunta.
gap-here = { $name } dice que respondió a este hospital, y el registro de aquí no tiene tal pregunta.
gap-there = Este hospital respondió a { $name }, y { $name } no muestra tal pregunta.
gap-closed = Explicado:
gap-reason = Cómo se explica
gap-close = Cerrar lo pendiente con { $name }
compared-until = Comparado hasta
compared-entries = Entradas
compared-failed = no se pudo comparar

recalls-title = Retiradas
recalls-lead = Donde se confundió a dos personas, se avisa a cada hospital que recibió algo; lo elimina y lo confirma.
recalls-none = No se ha retirado nada.
recall-patient = Id del paciente aquí
recall-recipient = Destinatario
recall-standing = Estado
recall-told = Avisado
recall-due = antes del
recall-declare = Declarar una retirada
recall-declare-help = Cuando la historia de este paciente contiene la de otra persona, o se comunicó como tal. Deshacer un vínculo lo hace por sí solo.
recall-reason = Qué ocurrió
recall-do = Avisar a todos los destinatarios

notices-none = No hay nada que deba saber.
notice-confused = Lo que { $hospital } envió de este paciente era de otra persona.
notice-confused-help = Usted abrió esta historia. No se fíe de lo que leyó allí de ese hospital; vuelva a mirar.
notice-open-record = Abrir la historia

# Consentimientos en papel.
papers-title = Consentimientos en papel
papers-lead = Registre lo que un paciente ha firmado en papel. Vale desde el día de la firma, se envía a todos los hospitales, y el paciente lo ve con la copia.
paper-new = Registrar un papel
paper-number = Número de paciente
paper-number-hint = Como está en el papel: el número del historial o del seguro.
paper-born = Fecha de nacimiento
paper-about = A quién se refiere
paper-choose = Elija
paper-person = Solo una persona
paper-person-hint = El nombre, si el papel se refiere a una persona y no a un hospital.
paper-decision = Qué decide
paper-signed-on = Firmado el
paper-representative = Firmado por
paper-representative-hint = Solo si otra persona firmó por el paciente: su nombre.
paper-preview = Mostrar qué cambia
paper-check = Qué cambia este papel
paper-only-here = Esto cambia para los datos de este hospital. Los demás hospitales deciden según el mismo consentimiento.
paper-scan = Copia
paper-scan-hint = PDF o JPEG, 768 kB como máximo.
paper-verified = Al registrar confirma que ha comparado la firma y la persona con el papel.
paper-save = Registrar
papers-recorded = Registrados
papers-none = Aún no se ha registrado ningún papel.
paper-in-force = en vigor
paper-ended = terminado
paper-patient = paciente { $id }
paper-signed = firmado el
paper-end = Terminar
