# Para quienes hablan por los pacientes sobre la investigación.
nav-patient-council = Consejo de pacientes
role-representative = Habla por los pacientes
patient-council-title = Consejo de pacientes
patient-council-lead = Estos proyectos piden usar sumas sobre las personas de esta institución. Usted dice por los pacientes si pueden hacerlo.
patient-council-advice = Su palabra es un consejo para quienes deciden.
patient-council-needed = { $count ->
    [one] La institución participa solo si uno de ustedes está de acuerdo y nadie se opone.
   *[other] La institución participa solo si { $count } de ustedes están de acuerdo y nadie se opone.
}
patient-council-own = Su palabra
patient-council-open = El consejo de pacientes no ha dado su acuerdo: lo han dado { $agree } de { $needed } miembros.
patient-council-agrees = { $agree ->
    [one] El consejo de pacientes está de acuerdo: un miembro, y nadie se opone.
   *[other] El consejo de pacientes está de acuerdo: { $agree } miembros, y nadie se opone.
}
patient-council-objects = { $object ->
    [one] El consejo de pacientes se opone: lo hace un miembro.
   *[other] El consejo de pacientes se opone: lo hacen { $object } miembros.
}
council-what = Qué se pregunta y por qué
council-kinds = Qué se calcula, siempre sobre muchas personas juntas:
council-program = Un programa propio de los investigadores: { $name }
council-extracts = Pide más que sumas: extractos, que son historias desidentificadas de personas individuales, como archivos hechos en esta institución. Quien ha dicho no a la investigación no está en ellos.
council-safes = ¿Es seguro?
council-project = El proyecto
council-project-is = Pregunta { $name }. Dura:
council-people = Las personas
council-people-are = Tienen nombre, entran con dos pruebas, y todo lo que preguntan queda escrito aquí.
council-data = Los datos
council-data-are = El conjunto de datos «{ $name }», que no nombra a nadie, de: { $holders }. Quien ha dicho no a la investigación no está en él.
council-place = Dónde ocurre
council-place-is = En cada institución. No sale de ella ninguna historia ni ninguna fila: solo sumas, en dos mitades de un secreto, sumadas por { $aggregators }.
council-place-extracts = Esto no vale para los extractos: son archivos, y quien los tiene puede pasarlos a otros.
council-answers = Las respuestas
council-answers-are = Detrás de cada respuesta hay al menos { $sites } instituciones y { $rows } personas.
council-return = Qué reciben los pacientes
council-return-is = En su página Investigación leen qué se preguntó, qué resultó y dónde se publicó. Puede poner como condición algo más.
council-say = Su palabra
council-say-help = Puede cambiarla mientras dure el proyecto. Si la institución ha aprobado y necesita su acuerdo, una oposición termina su participación de inmediato.
council-conditions = Con qué condiciones, o por qué no
council-conditions-hint = Lo leen todos los que participan y todos los pacientes, sin su nombre. No nombre a nadie.
council-agree = Estar de acuerdo
council-object = Oponerse
council-agreed = está de acuerdo
council-objected = se opone
council-silent = nada todavía
notice-council-said = Su palabra queda registrada.
