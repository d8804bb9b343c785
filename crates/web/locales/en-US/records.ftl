# Finding a patient, asking, and the record.
find-title = Find a patient
find-anything = Name, birth date or identifier
find-do = Search
find-narrow = Narrow the search
find-name = Name
find-birth-date = Birth date
find-birth-date-hint = Year-month-day, such as 1961-02-28
find-identifier = Identifier
find-place = Residence
find-results = { $count ->
    [one] { $count } patient found
   *[other] { $count } patients found
}
find-none = Nobody was found. Check the spelling, or try the birth date alone.
find-more = There are more. Narrow the search to see them.
age = Age
sex = Sex
deceased = deceased
patient = Patient
born = Born
died = Died
died-date-unknown = date unknown
phone = Phone
address = Address
purpose = Purpose

ask-title = Ask the other hospitals
ask-why = The other hospitals decide by your purpose and your evidence whether they may answer. Both are logged at every hospital that is asked.
ask-evidence = Visit or appointment
ask-evidence-none = None – I state the reason below
ask-reason = Reason
ask-reason-hint = Needed only when there is no visit or appointment. The patient can read it.
ask-do = Ask now
ask-logged = The patient can see who asked, when, and why.
ask-others = Ask the other hospitals
change-grounds = Change
only-own-record = Only this hospital’s own record is shown.

break-glass-title = Emergency access
break-glass-open = Emergency access
break-glass-warning = Use this only when a life or health is in danger and waiting is not possible.
break-glass-lasts = { $minutes ->
    [one] It opens what is withheld for { $minutes } minute.
   *[other] It opens what is withheld for { $minutes } minutes, then closes by itself.
}
break-glass-patient-told = The patient is told: your name, the time and your reason.
break-glass-officer-told = The privacy officer reviews every use.
break-glass-logged = All that you open is logged at every hospital.
break-glass-reason = Reason
break-glass-reason-hint = What is the emergency, and what do you need to know? The patient and the privacy officer read this.
break-glass-understood = I understand that this use is reported and reviewed.
break-glass-do = Open the record
break-glass-is-open = Emergency access is open until
break-glass-is-watched = The patient and the privacy officer are told of it.

record-title = Record
record-sections = Sections of the record
record-summary = Summary
record-sources = Sources
record-timeline = Timeline
record-documents = Documents
record-encounters = Encounters
record-conflicts = { $count ->
    [one] The sources disagree about { $count } thing
   *[other] The sources disagree about { $count } things
}
record-allergies = Allergies and intolerances
record-problems = Problems
record-past-problems = { $count ->
    [one] { $count } past problem
   *[other] { $count } past problems
}
record-medications = Medications
record-past-medications = { $count ->
    [one] { $count } past medication
   *[other] { $count } past medications
}
record-vitals = Vital signs
record-labs = Laboratory
record-procedures = Procedures
record-vaccinations = Vaccinations
record-none = { $count ->
    [one] None recorded at the one source.
   *[other] None recorded at any of the { $count } sources.
}
record-none-but-gaps = None recorded at the sources that answered. There are gaps.
record-none-yet = None so far. Sources are still being asked.
record-incomplete = This record has gaps.
record-gaps = Not everything came from: { $names }. Something may be missing from every list below.

my-record-title = My record
my-summary = Overview
my-sources = Where your record comes from
my-timeline = What happened when
my-documents = Letters and documents
my-encounters = Visits
my-conflicts = { $count ->
    [one] The hospitals recorded { $count } thing differently
   *[other] The hospitals recorded { $count } things differently
}
my-conflicts-explained = This happens, and need not be a mistake. Mention it at your next visit.
my-allergies = Allergies
my-problems = Health conditions
my-past-problems = { $count ->
    [one] { $count } earlier condition
   *[other] { $count } earlier conditions
}
my-medications = Medicines
my-past-medications = { $count ->
    [one] { $count } earlier medicine
   *[other] { $count } earlier medicines
}
my-vitals = Measurements
my-labs = Test results
my-procedures = Procedures and operations
my-vaccinations = Vaccinations
my-gaps = Not everything came from: { $names }. Some entries may be missing below.

sources-so-far = { $settled } of { $count } sources, { $items ->
    [one] { $items } item
   *[other] { $items } items
} so far
sources-settled = { $count ->
    [one] { $count } source
   *[other] { $count } sources
}, { $items ->
    [one] { $items } item
   *[other] { $items } items
}
as-of = as of
source-here = this hospital
source-asking = asking
source-answered = { $count ->
    [one] answered, { $count } item
   *[other] answered, { $count } items
}
source-no-match = does not know this patient
source-possible-match = may know this patient
source-withheld = withholds its record
source-timed-out = did not answer in time
source-partial = { $count ->
    [one] sent only a part: { $count } item
   *[other] sent only a part: { $count } items
}
source-partial-of = sent { $count } of { $of } items
source-unreachable = cannot be reached
source-refused = could not prove its identity
source-not-asked = was not asked: nothing like this patient is known there
sources-not-asked-help = Some hospitals were not asked, because nothing like this patient is known there by what they have published without names.
sources-everybody = Ask everybody anyway
source-review = Compare and decide
source-again = Ask again
from-sources = from
sources-agree = { $count ->
    [one] { $count } source
   *[other] { $count } sources agree
}
sources-disagree = sources disagree
live-fault = The connection was interrupted. What is shown may be incomplete.
load-complete = Load the complete record

conflict-allergy-denied = allergy, or none known?
conflict-allergy-status = allergy present or past?
conflict-blood-group = different blood groups
conflict-person = different personal data
conflict-medication-stopped = taken or stopped?
conflict-dose = different doses
conflict-problem-status = present or past?
conflict-result = different values for one measurement
conflict-retracted = entered in error at one source
advice-allergy = Treat as allergic until it is clarified.
advice-blood-group = Do not rely on either. Determine the blood group anew.
advice-person = Make sure that this is the same person.
advice-medication-stopped = Ask whether the patient still takes it.
advice-dose = Confirm which dose the patient takes.
advice-problem-status = Ask the patient, and correct your own entry if needed.
advice-check = Check before relying on it.

measure-name = Measurement
measure-latest = Latest
measure-trend = Course
measure-when-and-from = Date and source
measure-from = Source

more = { $count ->
    [one] Show { $count } more
   *[other] Show { $count } more
}
document-cut = The text is longer at its source.
record-observations = Other observations
record-unlisted = Also in the record:
document-open = Open the document
document-absent = The source names this document but sent no content.
visit-when = When
visit-class = Kind
visit-reason = Reason
visit-place = Place
