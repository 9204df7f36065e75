//! What is said of a faulty configuration.

use subject_gateway::config::{Auth, Config, Input, JwksAt};

use super::{COMPANY, PUBLIC, faults, file, load, pairs};

/// Checks that a file alone gives exactly this fault, told without the directory.
#[track_caller]
fn check_file(text: &str, expected: &str) {
    let (directory, path) = file(text);
    let environment = pairs(&[PUBLIC]);
    let input = Input { file: Some(path), environment, ..Input::default() };
    let messages = Config::load(input).unwrap_err().messages();
    let directory = format!("{}/", directory.path().display());
    let messages: Vec<_> = messages.iter().map(|message| message.replace(&directory, "")).collect();
    assert_eq!(messages, [expected]);
}

#[test]
fn a_value_that_is_not_sound_is_told_with_what_was_expected() {
    let table = [
        ("GATEWAY_LISTEN", "8080", "an address and port such as 127.0.0.1:8080 or [::1]:8080, found \"8080\""),
        ("GATEWAY_AUTH", "basic", "one of `none`, `api-key`, `jwt`, found \"basic\""),
        ("GATEWAY_CREDENTIALS", "both", "one of `service`, `forward`, found \"both\""),
        ("GATEWAY_PLAYGROUND", "yes", "true or false, found \"yes\""),
        (
            "GATEWAY_ALLOWED_HOSTS",
            "https://a.example",
            "host names or addresses, without scheme and port, separated by commas, found \"https://a.example\"",
        ),
        (
            "GATEWAY_CORS_ORIGINS",
            "*",
            "origins such as https://app.example.org, or `localhost`, separated by commas, found \"*\"",
        ),
        ("GATEWAY_LOG_FORMAT", "xml", "one of `text`, `json`, found \"xml\""),
        ("GATEWAY_LOG_LEVEL", "inof", "a tracing filter such as info or subject_gateway=debug,warn, found \"inof\""),
        ("HAUT_AI_URL", "ftp://a.example", URL_EXPECTED_FTP),
        ("BRAINSTEM_URL", "https://www.brainstem.org/api/private", URL_EXPECTED_API),
        ("BRAINSTEM_URL", "https://me:hunter2@a.example", URL_EXPECTED),
        ("BRAINSTEM_PORTAL", "open", "one of `private`, `public`, `super`, found \"open\""),
        ("LIMITS_DEADLINE_MS", "30s", "a whole number of milliseconds from 1 to 600000, found \"30s\""),
        ("LIMITS_BODY_BYTES", "0", "a whole number of bytes from 1024 to 104857600, found \"0\""),
        ("LIMITS_UPSTREAM_CONCURRENCY", "-1", "a whole number of requests from 1 to 10000, found \"-1\""),
    ];
    for (name, value, expected) in table {
        // The token keeps BrainSTEM configured whatever the row does to its portal.
        let messages = faults(&[("BRAINSTEM_TOKEN", "t0ken"), (name, value)]);
        assert_eq!(messages, [format!("{name} (environment): expected {expected}")]);
    }
}

const URL_EXPECTED: &str = "an http or https URL without credentials, query, fragment or API path";
const URL_EXPECTED_FTP: &str =
    "an http or https URL without credentials, query, fragment or API path, found \"ftp://a.example\"";
const URL_EXPECTED_API: &str = "an http or https URL without credentials, query, fragment or API path, found \
                                \"https://www.brainstem.org/api/private\"";

#[test]
fn settings_that_contradict_each_other_are_faults() {
    let token = ("HAUT_AI_TOKEN", "t0ken");
    let user = ("HAUT_AI_USERNAME", "me");
    let company = ("HAUT_AI_COMPANY_ID", COMPANY);
    let table: [(&[(&str, &str)], &str); 11] = [
        (
            &[PUBLIC, ("GATEWAY_AUTH", "api-key")],
            "GATEWAY_AUTH (environment): needs the file of the keys, in API_KEYS_FILE",
        ),
        (
            &[PUBLIC, ("API_KEYS_FILE", file!())],
            "API_KEYS_FILE (environment): is of no use with GATEWAY_AUTH=none; GATEWAY_AUTH=api-key asks for keys",
        ),
        (&[token], "HAUT_AI_COMPANY_ID: is missing; required with a token, which does not tell the company"),
        (&[user], "HAUT_AI_PASSWORD: is missing; needed beside HAUT_AI_USERNAME"),
        (&[("HAUT_AI_PASSWORD", "x")], "HAUT_AI_USERNAME: is missing; needed beside HAUT_AI_PASSWORD"),
        (
            &[token, company, user],
            "HAUT_AI_TOKEN: is set beside HAUT_AI_USERNAME or HAUT_AI_PASSWORD; set one or the other",
        ),
        (
            &[PUBLIC, company],
            "Haut.AI: is not configured, although there is HAUT_AI_COMPANY_ID (environment): set HAUT_AI_TOKEN and \
             HAUT_AI_COMPANY_ID, or HAUT_AI_USERNAME and HAUT_AI_PASSWORD",
        ),
        (
            &[token, company, ("BRAINSTEM_GENERATION", "legacy")],
            "BrainSTEM: is not configured, although there is BRAINSTEM_GENERATION (environment): set BRAINSTEM_TOKEN, \
             or BRAINSTEM_PORTAL=public",
        ),
        (
            &[("BRAINSTEM_TOKEN", "t"), ("BRAINSTEM_PORTAL", "super")],
            "BRAINSTEM_PORTAL (environment): `super` exists on legacy servers only; set BRAINSTEM_GENERATION=legacy",
        ),
        (
            &[PUBLIC, ("GATEWAY_LISTEN", "0.0.0.0:80")],
            "GATEWAY_LISTEN (environment): with GATEWAY_AUTH=none the gateway listens on loopback only, because \
             whoever reaches it may read and write; GATEWAY_AUTH_NONE_ANYWHERE=true lifts that",
        ),
        (
            &[PUBLIC, ("GATEWAY_TRUSTED_DOCUMENTS", "only")],
            "GATEWAY_TRUSTED_DOCUMENTS (environment): needs the manifest of the trusted documents, in \
             GATEWAY_TRUSTED_DOCUMENTS_FILE",
        ),
    ];
    for (variables, expected) in table {
        assert_eq!(faults(variables), [expected]);
    }
    load(&[PUBLIC, ("GATEWAY_LISTEN", "0.0.0.0:80"), ("GATEWAY_AUTH_NONE_ANYWHERE", "true")]);
    load(&[PUBLIC, ("HAUT_AI_URL", "https://haut.example")]);
}

#[test]
fn what_jwts_need_is_told_key_by_key() {
    let jwt = ("GATEWAY_AUTH", "jwt");
    let issuer = ("JWT_ISSUER", "https://issuer.example/");
    let audience = ("JWT_AUDIENCE", "gateway, other");
    let url = ("JWT_JWKS_URL", "https://issuer.example/keys?p=1");
    let expected = [
        "JWT_ISSUER: is missing; needed with GATEWAY_AUTH=jwt: the tokens' `iss`",
        "JWT_AUDIENCE: is missing; needed with GATEWAY_AUTH=jwt: what is in the tokens' `aud`",
        "JWT_JWKS_URL: is missing; needed with GATEWAY_AUTH=jwt (or JWT_JWKS_FILE): where the issuer's keys are",
    ];
    assert_eq!(faults(&[PUBLIC, jwt]), expected);
    assert_eq!(faults(&[PUBLIC, jwt, issuer, audience]), [expected[2]]);
    let both = faults(&[PUBLIC, jwt, issuer, audience, url, ("JWT_JWKS_FILE", file!())]);
    assert_eq!(both, ["JWT_JWKS_URL (environment): is set beside JWT_JWKS_FILE; set one or the other"]);
    let idle = " is of no use with GATEWAY_AUTH=none; GATEWAY_AUTH=jwt asks for tokens";
    for (name, value) in [issuer, audience, url, ("JWT_ALGORITHMS", "ES256"), ("JWT_LEEWAY_SECONDS", "1")] {
        assert_eq!(faults(&[PUBLIC, (name, value)]), [format!("{name} (environment):{idle}")]);
    }
    let keys = faults(&[PUBLIC, jwt, issuer, audience, url, ("API_KEYS_FILE", file!())]);
    assert_eq!(
        keys,
        ["API_KEYS_FILE (environment): is of no use with GATEWAY_AUTH=jwt; GATEWAY_AUTH=api-key asks for keys"]
    );

    let algorithms = "one or several of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `EdDSA`, \
                      separated by commas";
    let address = "an https URL, or an http one on loopback, without credentials and fragment";
    let table = [
        ("JWT_ALGORITHMS", "none", format!("{algorithms}, found \"none\"")),
        ("JWT_ALGORITHMS", "RS256,HS256", format!("{algorithms}, found \"RS256,HS256\"")),
        ("JWT_ALGORITHMS", ",", format!("{algorithms}, found \",\"")),
        ("JWT_JWKS_URL", "http://issuer.example/keys", format!("{address}, found \"http://issuer.example/keys\"")),
        ("JWT_JWKS_URL", "http://localhost.example/", format!("{address}, found \"http://localhost.example/\"")),
        ("JWT_JWKS_URL", "https://me:hunter2@issuer.example/", address.to_owned()),
        ("JWT_JWKS_URL", "file:///keys", format!("{address}, found \"file:///keys\"")),
        ("JWT_ISSUER", "two words", "some text without spaces, found \"two words\"".to_owned()),
        ("JWT_AUDIENCE", "a,b c", "texts without spaces, separated by commas, found \"a,b c\"".to_owned()),
        ("JWT_LEEWAY_SECONDS", "301", "a whole number of seconds from 0 to 300, found \"301\"".to_owned()),
    ];
    for (name, value, expected) in table {
        let variables: Vec<_> =
            [PUBLIC, jwt, issuer, audience, url].into_iter().filter(|(other, _)| *other != name).collect();
        let messages = faults(&[&variables[..], &[(name, value)]].concat());
        assert_eq!(messages, [format!("{name} (environment): expected {expected}")]);
    }

    let gateway = load(&[PUBLIC, jwt, issuer, audience, url]).gateway;
    assert!(!gateway.playground && !gateway.introspection);
    let Auth::Jwt(read) = gateway.auth else { panic!("{:?}", gateway.auth) };
    assert_eq!((read.issuer.as_str(), read.audience), (issuer.1, vec!["gateway".to_owned(), "other".to_owned()]));
    assert_eq!((read.algorithms, read.leeway.as_secs()), (vec!["RS256", "ES256"], 30));
    assert_eq!(read.keys, JwksAt::Url(url.1.parse().unwrap()));
}

#[test]
fn a_manifest_that_cannot_be_read_is_a_fault() {
    let messages = faults(&[PUBLIC, ("GATEWAY_TRUSTED_DOCUMENTS_FILE", "/nowhere/manifest.json")]);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let expected = "GATEWAY_TRUSTED_DOCUMENTS_FILE (environment): the file cannot be read: No such file";
    assert!(messages[0].starts_with(expected), "{messages:?}");
}

#[test]
fn no_source_says_what_to_set() {
    let messages = faults(&[]);
    assert_eq!(messages.len(), 1);
    for name in ["HAUT_AI_TOKEN", "HAUT_AI_USERNAME", "BRAINSTEM_TOKEN", "BRAINSTEM_PORTAL=public", "sandbox"] {
        assert!(messages[0].contains(name), "{messages:?}");
    }
}

#[test]
fn every_fault_is_told_at_once_and_no_secret_with_it() {
    let variables = [
        ("GATEWAY_LISTN", "x"),
        ("GATEWAY_PORT", "8080"),
        ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("HAUT_AI_TOKEN", "hunter2 with spaces"),
        ("LIMITS_DEADLINE_MS", "soon"),
    ];
    let error = Config::from_variables(variables).unwrap_err();
    let text = "the configuration has 5 faults:\
                \n  GATEWAY_LISTN (environment): there is no such variable; did you mean GATEWAY_LISTEN?\
                \n  GATEWAY_PORT (environment): there is no such variable\
                \n  HAUT_AI_TOKEN (environment): expected visible ASCII characters without spaces\
                \n  HAUT_AI_COMPANY_ID: is missing; required with a token, which does not tell the company\
                \n  LIMITS_DEADLINE_MS (environment): expected a whole number of milliseconds from 1 to 600000, found \
                \"soon\"";
    assert_eq!(error.to_string(), text);
}

#[test]
fn faults_in_the_file_are_told_as_they_are_written_there() {
    let expected = "[limits] deadlin_ms (file gateway.toml): there is no such key; did you mean `deadline_ms`?";
    check_file("[limits]\ndeadlin_ms = 1", expected);
    let expected =
        "[gateway] body_bytes (file gateway.toml): there is no such key; did you mean `body_bytes` in [limits]?";
    check_file("[gateway]\nbody_bytes = 1", expected);
    check_file("[limit]\nx = 1", "[limit] (file gateway.toml): there is no such table; did you mean [limits]?");
    let expected =
        "listen (file gateway.toml): there is no such key outside the tables; did you mean `listen` in [gateway]?";
    check_file("listen = \"x\"", expected);
    check_file("gateway = 1", "gateway (file gateway.toml): expected a table, [gateway]");
    let expected = "[gateway] playground (file gateway.toml): expected true or false, found a TOML float";
    check_file("[gateway]\nplayground = 1.5", expected);
    let expected =
        "[brainstem] token (file gateway.toml): expected visible ASCII characters without spaces, found a TOML array";
    check_file("[brainstem]\ntoken = [\"hunter2\"]", expected);
}

#[test]
fn a_file_that_is_not_toml_gives_no_secret_away() {
    let (_directory, path) = file("[brainstem]\ntoken = \"hunter2\nurl = 1");
    let input = Input { file: Some(path), ..Input::default() };
    let text = Config::load(input).unwrap_err().to_string();
    assert!(text.contains("line 2 is not TOML"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let input = Input { file: Some("/nowhere/gateway.toml".into()), ..Input::default() };
    let text = Config::load(input).unwrap_err().to_string();
    assert!(text.contains("(file /nowhere/gateway.toml): cannot be read: No such file"), "{text}");
}
