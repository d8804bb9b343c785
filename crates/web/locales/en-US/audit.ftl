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

access-authority = Allowed by:
authority-own-request = your own request
authority-emergency = emergency access, which the privacy officer reviews
authority-permission = a permission you gave
authority-rules = the hospital’s rules for this purpose
proof-cosigned = { $count ->
    [one] proved by one other hospital
   *[other] proved by { $count } other hospitals
}
proof-waiting = not yet cosigned
proof-absent = no proof for this line
proof-broken = the proof does not hold
proof-download = Download the proof
proof-help = A proved line can no longer be changed or removed without other hospitals noticing. The downloaded file shows that to anybody, without this hospital.
objection = Your objection
object-to-this = Object
object-title = Object to an access
object-lead = The privacy officer of { $hospital } must answer you within { $days } days.
object-reason = What is wrong with it, in your words
object-do = Send the objection
my-objections-lead = What you objected to, who must answer, and what they said.
my-objections-none = You have not objected to anything. You can do so from the list of who saw your record.
objection-answer = Answer:
objection-due = Answer due by
standing-sent = on its way
standing-received = received
standing-overdue = overdue
standing-upheld = found right
standing-rejected = found wrong
standing-confirmed = confirmed
standing-not-taken = cannot be taken by that hospital’s node; write to it
objections-title = Objections of patients
objections-lead = A patient objects to an access that stands in this hospital’s log. The answer is shown to the patient.
objections-waiting = Waiting for an answer
objections-none-waiting = No objection waits for an answer.
objections-answered = Answered
objections-none-answered = Nothing answered yet.
objection-of = Patient
objection-through = through
objection-access = About the access of
objection-answer-for-patient = Answer for the patient
objection-answer-do = Answer

reconciliation-title = Logs compared
reconciliation-lead = Once a day two hospitals compare what their logs say of the requests between them. An answer without a question is an alarm.
gaps = Answers without a question
gaps-none = Every answer has its question.
gap-here = { $name } says that it answered this hospital, and the log here has no such question.
gap-there = This hospital answered { $name }, and { $name } shows no such question.
gap-closed = Explained:
gap-reason = How it is explained
gap-close = Close what is open with { $name }
compared-until = Compared up to
compared-entries = Entries
compared-failed = could not be compared

recalls-title = Recalls
recalls-lead = Where two people were confused, every hospital that received something is told, removes it and confirms.
recalls-none = Nothing was recalled.
recall-patient = Patient’s id here
recall-recipient = Recipient
recall-standing = State
recall-told = Told
recall-due = due by
recall-declare = Declare a recall
recall-declare-help = Where the record of this patient holds, or was disclosed as, another person’s. Undoing a link does this by itself.
recall-reason = What happened
recall-do = Tell every recipient

notices-none = There is nothing you need to know.
notice-confused = What { $hospital } sent for this patient was another person’s.
notice-confused-help = You have opened this record. Do not rely on what you read there from that hospital; look again.
notice-open-record = Open the record

# Consents on paper.
papers-title = Consents on paper
papers-lead = Record what a patient has signed on paper. It counts from the day of the signature, is sent to every hospital, and the patient sees it with the scan.
paper-new = Record a paper
paper-number = Patient number
paper-number-hint = As it is on the paper: the number of the record or of the insurance.
paper-born = Date of birth
paper-about = Whom it is about
paper-choose = Please choose
paper-person = Only one person
paper-person-hint = The name, if the paper is about one person and not about a hospital.
paper-decision = What it decides
paper-signed-on = Signed on
paper-representative = Signed by
paper-representative-hint = Only if somebody signed for the patient: their name.
paper-preview = Show what it changes
paper-check = What this paper changes
paper-only-here = This is what changes for data of this hospital. Other hospitals decide by the same consent.
paper-scan = Scan
paper-scan-hint = PDF or JPEG, at most 768 kB.
paper-verified = With saving you confirm that you have compared the signature and the person with the paper.
paper-save = Record
papers-recorded = Recorded
papers-none = No paper has been recorded yet.
paper-in-force = in force
paper-ended = ended
paper-patient = patient { $id }
paper-signed = signed on
paper-end = End
