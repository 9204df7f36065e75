//! What goes to Redis tells nothing to whoever reads it there: names are keyed hashes, values are encrypted for the place
//! where they lie.

use chacha20poly1305::{
    Key, KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretBox};

/// Bytes from which on compressing is tried.
const WORTH_COMPRESSING: usize = 256;
const NONCE: usize = 24;

const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;

/// Names things and encrypts them, with keys that are made from the configured one.
pub(super) struct Seal {
    names: hmac::Key,
    values: XChaCha20Poly1305,
}

impl Seal {
    pub(super) fn new(key: &SecretBox<[u8; 32]>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret());
        let derived = |what: &[u8]| hmac::sign(&key, what);
        let mut values = Key::default();
        values.copy_from_slice(derived(b"values").as_ref());
        Self {
            names: hmac::Key::new(hmac::HMAC_SHA256, derived(b"names").as_ref()),
            values: XChaCha20Poly1305::new(&values),
        }
    }

    /// 128 bits that stand for these parts, in the order given.
    pub(super) fn name(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.names);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut name = [0; 16];
        name.copy_from_slice(&context.sign().as_ref()[..16]);
        name
    }

    /// Encrypts a value for the place `at`; compresses it first where that pays. `None`: the system gives no random numbers.
    pub(super) fn seal(&self, at: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let mut plain = vec![PLAIN];
        if value.len() >= WORTH_COMPRESSING {
            let compressed = lz4_flex::compress_prepend_size(value);
            if compressed.len() < value.len() {
                plain = [&[COMPRESSED], compressed.as_slice()].concat();
            }
        }
        if plain.len() == 1 {
            plain.extend_from_slice(value);
        }
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let encrypted = self.values.encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: at }).ok()?;
        Some([nonce.as_slice(), &encrypted].concat())
    }

    /// `None`: it was not sealed for this place with the same key, or was tampered with.
    pub(super) fn open(&self, at: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, encrypted) = sealed.split_first_chunk::<NONCE>()?;
        let plain = self.values.decrypt(&XNonce::from(*nonce), Payload { msg: encrypted, aad: at }).ok()?;
        match plain.split_first()? {
            (&PLAIN, value) => Some(value.to_vec()),
            (&COMPRESSED, value) => lz4_flex::decompress_size_prepended(value).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: u8) -> Seal {
        Seal::new(&SecretBox::new(Box::new([key; 32])))
    }

    #[test]
    fn what_was_sealed_can_be_opened_in_its_place_with_its_key_alone() {
        for value in [b"".as_slice(), b"short", &[7; 10_000]] {
            let sealed = seal(1).seal(b"here", value).unwrap();
            assert_eq!(seal(1).open(b"here", &sealed).as_deref(), Some(value));
            assert_eq!(seal(1).open(b"there", &sealed), None);
            assert_eq!(seal(2).open(b"here", &sealed), None);
            for at in [0, NONCE, sealed.len() - 1] {
                let mut bent = sealed.clone();
                bent[at] ^= 1;
                assert_eq!(seal(1).open(b"here", &bent), None);
            }
            assert_eq!(seal(1).open(b"here", &sealed[..NONCE]), None);
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same_and_repetitions_take_no_room() {
        let [first, second] = [(); 2].map(|()| seal(1).seal(b"here", &[7; 10_000]).unwrap());
        assert!(first != second && first.len() < 200, "{}", first.len());
    }

    #[test]
    fn a_name_depends_on_the_key_and_on_where_its_parts_end() {
        assert_eq!(seal(1).name(&[b"ab", b"c"]), seal(1).name(&[b"ab", b"c"]));
        assert_ne!(seal(1).name(&[b"ab", b"c"]), seal(1).name(&[b"a", b"bc"]));
        assert_ne!(seal(1).name(&[b"ab", b"c"]), seal(2).name(&[b"ab", b"c"]));
    }
}
