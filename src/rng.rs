//! All randomness: one seed, named streams. No other source of random numbers is used anywhere, so that one seed gives
//! the same bytes at any thread count.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// The user's seed, from which every stream is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The generator of stream number `index` for `purpose`. Streams of different purposes or indices are independent;
    /// the same arguments always give the same numbers.
    ///
    /// ```
    /// use rand::Rng;
    /// let seed = ue_audit::Seed(0);
    /// assert_eq!(seed.stream("noise", 7).next_u64(), seed.stream("noise", 7).next_u64());
    /// assert_ne!(seed.stream("noise", 7).next_u64(), seed.stream("noise", 8).next_u64());
    /// assert_ne!(seed.stream("noise", 7).next_u64(), seed.stream("shuffle", 7).next_u64());
    /// ```
    pub fn stream(self, purpose: &str, index: u64) -> ChaCha12Rng {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.0.to_le_bytes())
            .update(purpose.as_bytes());
        let mut rng = ChaCha12Rng::from_seed(*hasher.finalize().as_bytes());
        rng.set_stream(index);
        rng
    }

    /// A seed of its own for a part of the work that derives streams itself.
    pub fn derive(self, purpose: &str, index: u64) -> Self {
        use rand::Rng;
        Self(self.stream(purpose, index).next_u64())
    }
}
