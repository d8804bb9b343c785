# SQL sobre las historias, para quienes investigan.
nav-workspace = Espacio de trabajo
workspace-title = Espacio de trabajo
workspace-lead = Pregunte con SQL a las historias de esta institución. Verá recuentos, medias y otros agregados sobre personas, y nunca una fila.
workspace-closed = Las tablas no se pueden mostrar:
workspace-fault = La consulta no se responde:
workspace-sql = Consulta
workspace-sql-hint = Un SELECT con un agregado, agrupado como quiera. Quien no participa en la investigación no está en él.
workspace-run = Ejecutar
workspace-csv = Guardar como CSV
workspace-found = Grupos encontrados
workspace-least = Faltan los grupos de menos de { $people } personas, y los valores sobre menos están vacíos.
workspace-left-out = { $groups ->
    [one] Falta un grupo: junto a una respuesta anterior mostraría a menos de { $people } personas.
   *[other] Faltan { $groups } grupos: junto a respuestas anteriores mostrarían a menos de { $people } personas.
}
workspace-as-of = Desde una respuesta anterior han entrado o salido demasiado pocas personas para contarlo. Esto corresponde a los registros tal como estaban el
workspace-none = Ningún grupo tiene suficientes personas.
workspace-more = Las primeras { $lines } líneas. El archivo las tiene todas.
workspace-picture = { $number } por { $group }
workspace-true = sí
workspace-false = no
workspace-examples = Para empezar
workspace-example-people = Personas por sexo
workspace-example-conditions = Los diagnósticos que más personas tienen
workspace-example-pressure = Presión sistólica media por sexo
workspace-example-cohort = Personas con diabetes tipo 2, por sexo
workspace-projects = Sus proyectos
workspace-projects-none = Ninguno de sus proyectos lo permite aquí. Solicite uno que nombre «sql» entre sus análisis y esta institución entre las consultadas.
workspace-tables = Tablas
workspace-tables-help = Únalas por claves del mismo nombre. Una clave sirve para contar y unir, y para nada más.
workspace-key = clave
