//! What holds of a session whatever is done with it.

use consilium_identity::{SessionError, Settings};
use proptest::prelude::*;

use crate::support::*;

const MINUTE: i64 = 60_000;

#[derive(Clone, Debug)]
enum Act {
    Use,
    StepUp { right: bool },
    Sweep,
    Rename,
    SignOut,
    Disable,
    EndAll,
}

fn acts() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let act = prop_oneof![
        12 => Just(Act::Use),
        4 => any::<bool>().prop_map(|right| Act::StepUp { right }),
        2 => Just(Act::Sweep),
        1 => Just(Act::Rename),
        1 => Just(Act::SignOut),
        1 => Just(Act::Disable),
        1 => Just(Act::EndAll),
    ];
    // Mostly small steps; now and then the clock jumps, also back.
    let step = prop_oneof![8 => 0..10 * MINUTE, 2 => 0..40 * MINUTE, 1 => -2 * MINUTE..0];
    prop::collection::vec((step, act), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_session_never_outlives_its_limits(acts in acts()) {
        let settings = Settings { absolute_ms: 120 * MINUTE, ..Settings::default() };
        let (sessions, _) = node(settings);
        let ada = sessions.accounts().find("ada").unwrap().unwrap();
        let session = sessions.sign_in("ada", PASSWORD, None, HOME, START_MS).unwrap();
        let token = session.token.as_str();
        let (mut now_ms, mut last_use_ms, mut ended) = (START_MS, START_MS, false);
        let mut last_mfa_ms = None;
        for (step, act) in acts {
            now_ms += step;
            match act {
                Act::Use => {}
                Act::StepUp { right } => {
                    let typed = if right { code(now_ms) } else { wrong_code(now_ms) };
                    if sessions.step_up(token, &typed, HOME, now_ms).is_ok() {
                        prop_assert!(right && !ended);
                        last_mfa_ms = Some(now_ms);
                    }
                }
                Act::Sweep => {
                    sessions.sweep(now_ms).unwrap();
                }
                Act::Rename => {
                    sessions.accounts().rename(&ada.id, "Ada").unwrap();
                }
                Act::SignOut => {
                    sessions.sign_out(token).unwrap();
                    ended = true;
                }
                Act::Disable => {
                    sessions.accounts().set_disabled(&ada.id, true, now_ms).unwrap();
                    sessions.accounts().set_disabled(&ada.id, false, now_ms).unwrap();
                    ended |= now_ms >= START_MS;
                }
                Act::EndAll => {
                    sessions.accounts().end_sessions(&ada.id, now_ms).unwrap();
                    ended |= now_ms >= START_MS;
                }
            }
            let idle_ms = now_ms - last_use_ms;
            match sessions.resolve(token, now_ms) {
                Ok(principal) => {
                    prop_assert!(!ended, "an ended session is alive");
                    prop_assert!(idle_ms < settings.idle_ms, "idle for {idle_ms} ms");
                    prop_assert!(now_ms - START_MS < settings.absolute_ms);
                    prop_assert_eq!(principal.mfa_time_ms, last_mfa_ms);
                    prop_assert_eq!(principal.auth_time_ms, START_MS);
                    last_use_ms = last_use_ms.max(now_ms);
                }
                Err(SessionError::Fault(fault)) => prop_assert!(false, "{}", fault),
                // The time of last use is known to the minute, so a session may end that much early.
                Err(_) => prop_assert!(
                    ended
                        || idle_ms > settings.idle_ms - MINUTE
                        || now_ms - START_MS >= settings.absolute_ms,
                    "ended after {} ms, idle for {} ms", now_ms - START_MS, idle_ms
                ),
            }
            // What has ended stays ended, unless the clock is set back before the end.
            if sessions.resolve(token, now_ms).is_err() && step >= 0 && ended {
                prop_assert!(sessions.resolve(token, now_ms + 1).is_err());
            }
        }
    }
}
