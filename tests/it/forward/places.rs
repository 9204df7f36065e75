//! Where callers bring their own credentials, what the program itself says and does: its configuration, `check`, `sandbox`.

use subject_gateway::{
    config::{Config, HautAiAccess},
    sandbox::{BRAINSTEM_OTHER_TOKEN, BRAINSTEM_TOKEN, COMPANY_ID, HAUT_AI_OTHER_TOKEN, HAUT_AI_TOKEN},
};

use crate::{
    process::{run, welcome_of_sandbox},
    util::TestApp,
};

const FORWARD: (&str, &str) = ("GATEWAY_CREDENTIALS", "forward");
const COMPANY: (&str, &str) = ("HAUT_AI_COMPANY_ID", COMPANY_ID);
const PORTAL: (&str, &str) = ("BRAINSTEM_PORTAL", "private");

fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = [FORWARD].iter().chain(variables).copied();
    Config::from_variables(variables).map_err(|faults| faults.to_string())
}

#[test]
fn company_and_portal_configure_the_sources() {
    let both = load(&[COMPANY, PORTAL]).unwrap();
    assert!(matches!(both.haut_ai.unwrap().access, HautAiAccess::Forward) && both.brainstem.unwrap().token.is_none());
    let one = load(&[COMPANY]).unwrap();
    assert!(one.haut_ai.is_some() && one.brainstem.is_none());
    for portal in ["private", "public"] {
        let other = load(&[("BRAINSTEM_PORTAL", portal)]).unwrap();
        assert!(other.haut_ai.is_none() && other.brainstem.is_some());
    }
    let faults = load(&[("BRAINSTEM_URL", "http://localhost")]).unwrap_err();
    assert!(faults.contains("HAUT_AI_COMPANY_ID or BRAINSTEM_PORTAL"), "{faults}");
    let faults = load(&[PORTAL, ("HAUT_AI_TIMEOUT_MS", "5")]).unwrap_err();
    assert!(faults.contains("HAUT_AI_TIMEOUT_MS") && faults.contains("set HAUT_AI_COMPANY_ID"), "{faults}");
    let faults = load(&[COMPANY, ("BRAINSTEM_AUTH_SCHEME", "Token")]).unwrap_err();
    assert!(faults.contains("BRAINSTEM_AUTH_SCHEME") && faults.contains("set BRAINSTEM_PORTAL"), "{faults}");
}

#[test]
fn credentials_of_the_gateways_own_stop_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "planted").unwrap();
    let file = file.path().to_str().unwrap();
    for secret in ["HAUT_AI_TOKEN", "HAUT_AI_USERNAME", "HAUT_AI_PASSWORD", "BRAINSTEM_TOKEN"] {
        for (name, value) in [(secret.to_owned(), "planted"), (format!("{secret}_FILE"), file)] {
            let faults = load(&[COMPANY, PORTAL, (&name, value)]).unwrap_err();
            assert!(
                faults.contains(&format!("{name} (environment): is of no use with GATEWAY_CREDENTIALS=forward")),
                "{faults}"
            );
            assert!(!faults.contains("planted"), "{faults}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_reaches_the_servers_and_says_that_it_can_tell_no_more() {
    let app = TestApp::new().await;
    let urls = [("HAUT_AI_URL", app.haut_ai().url()), ("BRAINSTEM_URL", app.brainstem().url())];
    let variables = [&[FORWARD, COMPANY, PORTAL][..], &urls].concat();
    let check = async |variables: Vec<(&str, &str)>| {
        let variables: Vec<_> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let run = move || {
            let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            run(&["check"], &variables)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let (code, text, _) = check(variables.clone()).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("it answers (status").count(), 2, "{text}");
    assert!(text.contains("callers bring their own credentials"), "{text}");
    assert!(app.brainstem().log().iter().chain(&app.haut_ai().log()).all(|asked| asked.authorization.is_none()));
    // Nobody listens there.
    let down = [&variables[..], &[("BRAINSTEM_URL", "http://127.0.0.1:9")]].concat();
    let (code, text, _) = check(down).await;
    assert!(code == Some(1) && text.contains("no connection could be made"), "{text}");
}

#[test]
fn a_sandbox_says_what_callers_may_bring() {
    let told = welcome_of_sandbox(&[FORWARD]);
    for token in [HAUT_AI_TOKEN, HAUT_AI_OTHER_TOKEN] {
        assert!(told.contains(&format!("X-Haut-AI-Authorization: {token}")), "{told}");
    }
    for token in [BRAINSTEM_TOKEN, BRAINSTEM_OTHER_TOKEN] {
        assert!(told.contains(&format!("X-BrainSTEM-Authorization: {token}")), "{told}");
    }
    assert!(told.contains(&format!("-H 'X-BrainSTEM-Authorization: {BRAINSTEM_TOKEN}' -d")), "{told}");
}
