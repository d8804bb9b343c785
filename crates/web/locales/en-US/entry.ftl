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
