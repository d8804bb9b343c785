# Who saw a record: accesses, reviews of emergency access, refusals.
accesses-title = Who saw my record
accesses-lead = Every look at your record, at every hospital, with the reason that was given.
accesses-missing = Accesses at { $names } cannot be shown just now.
accesses-none = Nobody has looked at your record yet.
accesses-question = If something here surprises you, ask the hospital’s privacy officer.
access-emergency = emergency access
access-refused = refused
access-nothing-shown = Nothing was shown
access-seen = Seen:
access-held-by = held by
seen-unknown = your record

reviews-title = Emergency access to review
reviews-waiting = Waiting for review
reviews-none-waiting = Nothing waits for a review.
reviews-done = Reviewed
reviews-none-done = No reviews yet.
use-reason = Reason given
use-patient-told = Patient told
review-outcome = Outcome
review-choose = Choose…
review-comment = Comment
review-do = Mark as reviewed
outcome-justified = Justified
outcome-in-clarification = In clarification
outcome-not-justified = Not justified

denials-title = Refused questions
denials-lead = Questions this hospital did not answer, and the rule that stood against them.
denials-none = No question was refused.
denial-when = When
denial-who = Who asked
denial-ground = Why it was refused
ground-consent = Consent of the patient
ground-policy = Role or purpose
ground-authentication = Second factor missing or too old
ground-evidence = No evidence of a reason
ground-identity = Identity of the asking hospital not proven
ground-other = Another rule

witnesses-title = Audit logs and their witnesses
witnesses-lead = Hospitals cosign each other’s audit logs once a minute. A log that is changed afterwards no longer fits what was cosigned.
alarms = Alarms
alarms-none = Every log fits what was cosigned.
alarm-rewritten = The audit log of { $log } was rewritten: with { $offered } entries it does not continue the { $cosigned } that { $witness } cosigned.
alarm-shortened = The audit log of { $log } was cut: it has { $offered } entries, and { $witness } cosigned { $cosigned }.
alarm-evidence = Both checkpoints are signed by the hospital whose log it is. Keep them as evidence, and ask its privacy officer.
alarm-cosigned-note = Checkpoint that was cosigned
alarm-offered-note = Checkpoint that was offered later
alarm-accept = Accept the log as it is now
alarm-accept-help = Where the log is shorter for a known reason, such as a restored backup, it can be accepted. What was cosigned of it is let go; the evidence stays here.
alarm-accept-reason = Why it is accepted
alarm-accepted = Accepted:
watched = Hospitals
watched-theirs = Their log, cosigned here
watched-ours = Our log, cosigned there
watched-entries = { $count ->
    [one] one entry
   *[other] { $count } entries
}
