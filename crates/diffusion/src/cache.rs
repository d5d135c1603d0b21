//! A cache of computed values; the least recently used one is dropped first.

use lru::LruCache;
use std::hash::Hash;
use std::num::NonZeroUsize;

/// A bounded cache of computed values.
pub(crate) struct Cache<K: Hash + Eq, V>(LruCache<K, V>);

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache for this many values, at least one.
    pub fn new(capacity: usize) -> Cache<K, V> {
        Cache(LruCache::new(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN)))
    }

    /// How many values are cached.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value for a key, computed if it is not cached. A failure is not cached.
    pub fn get_or_try<E>(&mut self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(value) = self.0.get(key) {
            return Ok(value.clone());
        }
        let value = compute()?;
        self.0.put(key.clone(), value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_computed_once_and_the_oldest_is_dropped() {
        let mut cache = Cache::new(2);
        let mut computed = Vec::new();
        for key in ["a", "b", "a", "c", "a", "b"] {
            let value = cache.get_or_try(&key, || {
                computed.push(key);
                Ok::<_, ()>(key.len())
            });
            assert_eq!(value, Ok(1));
        }
        assert_eq!(computed, ["a", "b", "c", "b"]);
        assert_eq!(cache.get_or_try(&"d", || Err("no")), Err("no"));
        assert_eq!(cache.get_or_try(&"d", || Ok::<_, ()>(7)), Ok(7));
    }
}
