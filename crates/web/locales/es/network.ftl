# La página de operación.
network-title = Red
answering-is-on = Este nodo responde a los demás
answering-is-on-help = Desactívelo durante el mantenimiento. Los demás verán este hospital como no disponible; no se pierde nada.
answering-is-off = Este nodo no responde a los demás
answering-is-off-help = Los demás ven este hospital como no disponible. Los envíos esperan en su origen hasta que lo active.
answering-turn-off = Dejar de responder
answering-turn-on = Volver a responder
peers = Nodos
peers-none = Esta red todavía no tiene más miembros.
peer = Nodo
peer-state = Estado
peer-answered = Última respuesta
peer-latency = Tiempo habitual
peer-address = Dirección
peer-up = responde
peer-slow = lento
peer-down = no responde
peer-wrong-key = clave incorrecta
peer-not-asked = sin consultar
queues = Envíos en espera
queues-none = No hay envíos en espera.
queue-waiting = En espera
queue-oldest = Más antiguo
queue-next = Próximo intento
letters = Envíos abandonados
letters-none = No se ha abandonado ningún envío.
letter-attempts = { $count ->
    [one] { $count } intento
   *[other] { $count } intentos
}
letter-subscription = Suscripción
letter-waiting = { $count ->
    [one] { $count } evento en espera
   *[other] { $count } eventos en espera
}
letter-again = Reintentar
locator = Localizador de historias
locator-off = Este nodo consulta directamente a cada miembro.
locator-refuse = Este nodo no publica nada; los demás le consultan directamente.
locator-epoch = Período
locator-rotated = Claves desde
locator-rotates = Las claves cambian
locator-keys = Claves guardadas para otros
locator-to = Publicado a
locator-from = Recibido de
locator-none = nadie
locator-records = Historias
locator-state = Estado
locator-complete = completo
locator-under-way = en curso
locator-at = Última noticia
store = Almacén
store-resources = Recursos
store-versions = Versiones
store-bytes = En disco
store-sequence = Último cambio
store-by-type = Por tipo
store-type = Tipo
audit = Registro de auditoría
audit-entries = Entradas
audit-last = Última entrada
audit-hash = Hash de la última entrada
audit-verify = Verificar todo el registro
audit-sound = Las { $count } entradas son correctas.
audit-broken = La entrada { $number } no está como se escribió.
audit-empty = El registro está vacío.
