//! JSON from callers, before it is parsed.

/// The key under which `serde_json` parses a text again, with a fresh limit of nesting: texts within texts would overflow the
/// stack. (The feature `raw_value` brings it; a source needs that.)
const RAW_VALUE: &[u8] = b"$serde_json::private::RawValue";

/// Whether the text may have the key that parses texts within it. No client has a use for it.
pub(super) fn nests_texts(text: &[u8]) -> bool {
    contains(text, RAW_VALUE) || (contains(text, b"\\u") && contains(&unescaped(text), RAW_VALUE))
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

/// The text with its escapes of ASCII characters undone, of all strings at once.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (first, tail) {
            (b'\\', [b'u', digits @ ..]) => digits.get(..4).and_then(ascii).map(|character| (character, 5)),
            // Of a pair neither begins another escape.
            (b'\\', [next, ..]) => Some((*next, 1)),
            _ => None,
        };
        match escaped {
            Some((character, length)) => {
                plain.push(character);
                rest = tail.get(length..).unwrap_or_default();
            }
            None => plain.push(*first),
        }
    }
    plain
}

fn ascii(digits: &[u8]) -> Option<u8> {
    let code = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    code.is_ascii().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::nests_texts;

    #[test]
    fn the_key_is_seen_however_it_is_written() {
        for hostile in [
            r#"{"a": {"$serde_json::private::RawValue": "[]"}}"#,
            r#"{"\u0024serde_json::private::RawValue": "[]"}"#,
            r#"{"$serde_json\u003a:private::\u0052awValue": "[]"}"#,
            r#"{"\\": {"$serde_json::private::RawValu\u0065": "[]"}}"#,
        ] {
            assert!(nests_texts(hostile.as_bytes()), "{hostile}");
            // It is what serde_json takes for its own.
            assert!(!serde_json::from_str::<serde_json::Value>(hostile).unwrap().to_string().contains("RawVal"));
        }
        for harmless in [r#"{"query": "{ a(b: \"\u00e9\\u0024\ud83d\ude00\") }"}"#, r#"{"a": "\u12"}"#, "\\", "\\u", ""]
        {
            assert!(!nests_texts(harmless.as_bytes()), "{harmless}");
        }
    }
}
