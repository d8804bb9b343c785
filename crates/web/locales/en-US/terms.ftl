# Coded terms.
purpose-treatment = Treatment
purpose-emergency-treatment = Emergency treatment
purpose-break-the-glass = Emergency access
purpose-payment = Payment
purpose-operations = Quality and operations
purpose-patient-request = At the patient’s request
purpose-research = Research
purpose-public-health = Public health
purpose-other = Other purpose

purpose-plain-treatment = To treat you.
purpose-plain-emergency-treatment = To treat you in an emergency.
purpose-plain-break-the-glass = In an emergency, without waiting for permission.
purpose-plain-payment = To handle the payment of your care.
purpose-plain-operations = To run the hospital and check the quality of care.
purpose-plain-patient-request = Because you asked for it.
purpose-plain-research = For research.
purpose-plain-public-health = To protect the health of the public.
purpose-plain-other = For another purpose.

kind-person = Personal data
kind-problem = Problem
kind-medication = Medication
kind-allergy = Allergy
kind-result = Result
kind-report = Report
kind-vaccination = Vaccination
kind-procedure = Procedure
kind-visit = Visit
kind-document = Document
kind-imaging = Imaging
kind-plan = Care plan
kind-order = Order
kind-billing = Billing
kind-device = Device
kind-other = Other

count-person = personal data
count-problem = { $count ->
    [one] { $count } health condition
   *[other] { $count } health conditions
}
count-medication = { $count ->
    [one] { $count } medicine
   *[other] { $count } medicines
}
count-allergy = { $count ->
    [one] { $count } allergy
   *[other] { $count } allergies
}
count-result = { $count ->
    [one] { $count } test result
   *[other] { $count } test results
}
count-report = { $count ->
    [one] { $count } report
   *[other] { $count } reports
}
count-vaccination = { $count ->
    [one] { $count } vaccination
   *[other] { $count } vaccinations
}
count-procedure = { $count ->
    [one] { $count } procedure
   *[other] { $count } procedures
}
count-visit = { $count ->
    [one] { $count } visit
   *[other] { $count } visits
}
count-document = { $count ->
    [one] { $count } document
   *[other] { $count } documents
}
count-imaging = { $count ->
    [one] { $count } imaging study
   *[other] { $count } imaging studies
}
count-plan = { $count ->
    [one] { $count } care plan
   *[other] { $count } care plans
}
count-order = { $count ->
    [one] { $count } order
   *[other] { $count } orders
}
count-billing = { $count ->
    [one] { $count } bill
   *[other] { $count } bills
}
count-device = { $count ->
    [one] { $count } device
   *[other] { $count } devices
}
count-other = { $count ->
    [one] { $count } other entry
   *[other] { $count } other entries
}

mark-active = active
mark-recurrence = recurred
mark-relapse = relapsed
mark-inactive = inactive
mark-remission = in remission
mark-resolved = resolved
mark-completed = completed
mark-stopped = stopped
mark-on-hold = on hold
mark-draft = draft
mark-planned = planned
mark-in-progress = in progress
mark-cancelled = cancelled
mark-entered-in-error = entered in error
mark-not-done = not done
mark-final = final
mark-preliminary = preliminary
mark-amended = amended
mark-unconfirmed = unconfirmed
mark-provisional = provisional
mark-refuted = refuted
mark-high-criticality = high risk
mark-severe = severe
mark-unknown = status unknown

sex-female = Female
sex-male = Male
sex-other = Other
sex-unknown = Unknown

age-years = { $count ->
    [one] { $count } year
   *[other] { $count } years
}
age-months = { $count ->
    [one] { $count } month
   *[other] { $count } months
}
age-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}

reference-between = reference { $low } to { $high }
reference-above = reference from { $low }
reference-below = reference to { $high }
reference-none = no reference
trend-empty = { $name }: no values
trend-description = { $name }: { $count ->
    [one] { $count } value
   *[other] { $count } values
} from { $from } to { $to }, lowest { $low }, highest { $high } { $unit }{ $reference }

flag-low = low
flag-high = high
flag-critical-low = critically low
flag-critical-high = critically high
flag-abnormal = abnormal

visit-ambulatory = Outpatient
visit-emergency = Emergency
visit-inpatient = Inpatient
visit-observation = Observation
visit-home = Home visit
visit-virtual = Virtual
visit-other = Other
