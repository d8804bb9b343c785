# Sign-in and second factor.
sign-in = Sign in
sign-in-wrong = Name, password or code is not right.
sign-in-logged = Every access to a record is logged, and the patient can read the log.
username = User name
password = Password
code = Code
code-hint = Six digits from your authenticator app.
code-optional = Code (optional)
code-optional-hint = If you enter it now, you will not be asked again for five minutes.
throttled = { $minutes ->
    [one] Too many attempts. Please wait { $minutes } minute.
   *[other] Too many attempts. Please wait { $minutes } minutes.
}
step-up-title = Confirm that it is you
step-up-other-organisations = You are about to ask other hospitals. They answer only if you have confirmed your identity within the last five minutes.
step-up-break-glass = Emergency access needs a second factor confirmed within the last five minutes.
step-up-permission = You are about to decide who may see your record. Please confirm that it is you.
step-up-change = This changes how the hospital works with others. Please confirm that it is you.
step-up-app = An app asks to be sure that it is you. Please confirm it.
step-up-returns = Afterwards you return to where you were.
not-now = Not now
outside-sign-in = Sign in with { $provider }
outside-step-up = Confirm with { $provider }
outside-onward-title = On your way
outside-refused-title = That did not work
outside-back = Go back
outside-subject = Your account there
outside-how-to-link = Sign in here another way, open “My sign-in” and link the account there. If you cannot, give your hospital’s IT these two lines; they can link it when they know that it is you.
outside-expired = This answer belongs to no request of this browser: it took longer than ten minutes, was used before, or was begun elsewhere. Please begin again.
outside-mix-up = The answer comes from another organization than was asked. Nobody was signed in. Please begin again, and tell your hospital’s IT if it happens again.
outside-denied = You were not signed in there, or you cancelled.
outside-unreachable = The other organization cannot be reached, or does not answer as it should. Sign in another way, or try again later.
outside-refused = What the other organization sent could not be trusted, so nobody was signed in. Please begin again, and tell your hospital’s IT if it happens again.
outside-too-long-ago = You signed in there too long ago, or the other organization does not say when. Sign out there, and begin again.
outside-not-linked = You are signed in there, but no account of this hospital is linked to yours there.
outside-taken = That account there is linked to another account of this hospital already. It has to be unlinked from that one first.
outside-too-many = You have as many links as an account may have. Remove one first.
outside-another = Somebody else is signed in there. Sign out there, and try again.
outside-no-second-factor = The other organization does not say that you used a second factor. Use a passkey or a code of this hospital.
outside-passkey-needed = Your role needs a passkey of this hospital. The other organization cannot stand in for it.
outside-sign-in-needed = You signed in more than five minutes ago. Sign out, sign in again and link the account at once.
