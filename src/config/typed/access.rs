//! How callers show who they are, and what that needs.

use super::{Reader, values};
use crate::config::{
    Auth, JwksAt, Jwt,
    fault::Fault,
    keys::{Section, key},
};

pub(super) fn auth(reader: &mut Reader, auth: &str) -> Auth {
    let api_keys = api_keys(reader, auth);
    let jwt = jwt(reader, auth);
    api_keys.or(jwt).unwrap_or(Auth::None)
}

fn api_keys(reader: &mut Reader, auth: &str) -> Option<Auth> {
    let file = reader.text_file("api_keys.file");
    let is_set = reader.is_set("api_keys.file");
    if auth == "api-key" {
        if !is_set {
            reader.fault_at(key("gateway.auth"), "needs the file of the keys, in API_KEYS_FILE");
        }
        return file.map(Auth::ApiKey);
    }
    // Whoever sets it means callers to be asked.
    if is_set {
        let problem = format!("is of no use with GATEWAY_AUTH={auth}; GATEWAY_AUTH=api-key asks for keys");
        reader.fault_at(key("api_keys.file"), problem);
    }
    None
}

/// All of it is read in any case, so that what is not sound is told.
fn jwt(reader: &mut Reader, auth: &str) -> Option<Auth> {
    let issuer = reader.optional("jwt.issuer", values::text);
    let audience = reader.optional("jwt.audience", values::texts);
    let url = reader.optional("jwt.jwks_url", values::jwks_url).map(JwksAt::Url);
    let file = reader.text_file("jwt.jwks_file").map(JwksAt::File);
    let algorithms = reader.value("jwt.algorithms", values::choices);
    let leeway = reader.value("jwt.leeway_seconds", values::seconds);
    if auth != "jwt" {
        let idle: Vec<_> = reader.settings.of_section(Section::Jwt).map(|(key, _)| key).collect();
        for key in idle {
            let problem = format!("is of no use with GATEWAY_AUTH={auth}; GATEWAY_AUTH=jwt asks for tokens");
            reader.fault_at(key, problem);
        }
        return None;
    }
    for (path, what) in [("jwt.issuer", "the tokens' `iss`"), ("jwt.audience", "what is in the tokens' `aud`")] {
        if !reader.is_set(path) {
            let problem = format!("is missing; needed with GATEWAY_AUTH=jwt: {what}");
            reader.fault(Fault::of(key(path).variable(), problem));
        }
    }
    match ["jwt.jwks_url", "jwt.jwks_file"].map(|path| reader.is_set(path)) {
        [true, true] => reader.fault_at(key("jwt.jwks_url"), "is set beside JWT_JWKS_FILE; set one or the other"),
        [false, false] => {
            let problem = "is missing; needed with GATEWAY_AUTH=jwt (or JWT_JWKS_FILE): where the issuer's keys are";
            reader.fault(Fault::of("JWT_JWKS_URL", problem));
        }
        _ => {}
    }
    Some(Auth::Jwt(Jwt { issuer: issuer?, audience: audience?, keys: url.or(file)?, algorithms, leeway }))
}
