//! Randomness as a parameter.

/// Where random bytes come from. The binary gives the operating system's;
/// tests give a seeded generator.
pub trait Entropy: Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Entropy + '_ {
    pub fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A number in `0..bound`; `0` if `bound` is. For jitter, not for keys: the
    /// modulo bias is harmless there.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        u64::from_le_bytes(self.array()) % bound
    }
}

/// The operating system's generator, through aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what all others take as a parameter"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no id and no token is safe: stopping is the only
        // right answer, and aws-lc itself aborts before this in practice.
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives random bytes");
    }
}
