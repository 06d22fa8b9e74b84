//! Seeded randomness: the same seed makes the same ids, keys and dice.

use serde::{Deserialize, Serialize};

/// SplitMix64. Statistical quality is ample for ids and fault dice, and its
/// whole state is one number, which a snapshot can carry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator for one purpose, so that drawing for one purpose never
    /// shifts what another purpose draws.
    pub fn seeded_for(seed: u64, purpose: &str) -> Self {
        let mut state = seed ^ 0xcbf2_9ce4_8422_2325;
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self { state }
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.next_u64() % bound
        }
    }

    /// `len` characters drawn from `alphabet`.
    pub fn text(&mut self, len: usize, alphabet: &[u8]) -> String {
        (0..len)
            .map(|_| char::from(alphabet[self.below(alphabet.len() as u64) as usize]))
            .collect()
    }

    /// `len` lower-case hexadecimal digits, as in `vpc-0a1b…`.
    pub fn hex(&mut self, len: usize) -> String {
        self.text(len, b"0123456789abcdef")
    }

    /// An id as IAM makes them: a four-letter prefix (`AROA`, `ANPA`, `AKIA`)
    /// and sixteen characters of base 32.
    pub fn iam_id(&mut self, prefix: &str) -> String {
        format!(
            "{prefix}{}",
            self.text(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        )
    }

    /// A UUID in version 4's shape.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex(31);
        let variant = self.text(1, b"89ab");
        format!(
            "{}-{}-4{}-{variant}{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..15],
            &hex[15..18],
            &hex[18..30]
        )
    }
}
