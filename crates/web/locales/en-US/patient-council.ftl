# For those who speak for patients about research.
nav-patient-council = Patient council
role-representative = Speaks for patients
patient-council-title = Patient council
patient-council-lead = These projects ask to use sums over the people of this institution. You say for the patients whether they may.
patient-council-advice = Your word is advice to those who decide.
patient-council-needed = { $count ->
    [one] The institution takes part only if one of you agrees and nobody objects.
   *[other] The institution takes part only if { $count } of you agree and nobody objects.
}
patient-council-own = Your word
patient-council-open = The patient council has not agreed: { $agree } of { $needed } members have.
patient-council-agrees = { $agree ->
    [one] The patient council has agreed: one member, and nobody objects.
   *[other] The patient council has agreed: { $agree } members, and nobody objects.
}
patient-council-objects = { $object ->
    [one] The patient council objects: one member does.
   *[other] The patient council objects: { $object } members do.
}
council-what = What is asked, and why
council-kinds = What is worked out, always over many people together:
council-program = A program of the researchers’ own: { $name }
council-extracts = It asks for more than sums: extracts, which are de-identified records of single people, as files made in this institution. Whoever has said no to research is not in them.
council-safes = Is it safe?
council-project = The project
council-project-is = { $name } asks. It lasts:
council-people = The people
council-people-are = They are named, sign in with two proofs, and everything they ask is written down here.
council-data = The data
council-data-are = The data set “{ $name }”, which names nobody, of: { $holders }. Whoever has said no to research is not in it.
council-place = Where it happens
council-place-is = In each institution. No record and no row leaves it: only sums do, in two halves of a secret, added by { $aggregators }.
council-place-extracts = This does not hold for extracts: they are files, and whoever has them can pass them on.
council-answers = The answers
council-answers-are = Behind every answer are at least { $sites } institutions and { $rows } people.
council-return = What patients get of it
council-return-is = On their page Research they read what was asked, what came of it and where it was published. You can make more than that a condition.
council-say = Your word
council-say-help = You can change it as long as the project lasts. If the institution has agreed and needs your agreement, an objection ends its part at once.
council-conditions = On what conditions, or why not
council-conditions-hint = Everybody who takes part and all patients read it, without your name. Name nobody.
council-agree = Agree
council-object = Object
council-agreed = agrees
council-objected = objects
council-silent = nothing yet
notice-council-said = Your word is recorded.
