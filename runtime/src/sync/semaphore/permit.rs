//! Permits that are held.

use super::Semaphore;
use core::mem;
use core::ptr;
use std::sync::Arc;

/// Permits of a [`Semaphore`], given back when they are dropped.
#[must_use = "permits are given back at once if they are not kept"]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: u32,
}

/// Permits that keep their [`Semaphore`] and may go anywhere; given back when they are dropped.
#[must_use = "permits are given back at once if they are not kept"]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    count: u32,
}

/// The methods of both.
macro_rules! permits {
    (impl[$($lifetime:lifetime)?] $permit:ty, of $semaphore:ty) => {
        impl$(<$lifetime>)? $permit {
            /// Permits that have been acquired.
            pub(super) fn new(semaphore: $semaphore, count: u32) -> Self {
                Self { semaphore, count }
            }

            /// How many permits these are.
            pub fn num_permits(&self) -> usize {
                self.count as usize
            }

            /// Does not give the permits back: the semaphore has so many less.
            pub fn forget(mut self) {
                self.count = 0;
            }

            /// Adds the permits of `other`, to be given back together.
            ///
            /// # Panics
            /// If they are of another semaphore, or together more than a `u32` can count.
            #[track_caller]
            pub fn merge(&mut self, mut other: Self) {
                let of_same = ptr::eq::<Semaphore>(&*self.semaphore, &*other.semaphore);
                assert!(of_same, "permits of two semaphores cannot be merged");
                self.count = self.count.checked_add(other.count).expect("so many permits cannot be merged");
                other.count = 0;
            }

            /// Takes `count` of the permits out, to be given back by themselves. None: they are fewer.
            pub fn split(&mut self, count: u32) -> Option<Self> {
                self.count = self.count.checked_sub(count)?;
                Some(Self::new(<$semaphore>::clone(&self.semaphore), count))
            }
        }

        impl$(<$lifetime>)? Drop for $permit {
            fn drop(&mut self) {
                let count = mem::take(&mut self.count);
                if count > 0 {
                    self.semaphore.permits.release(count as usize);
                }
            }
        }
    };
}
permits!(impl['a] SemaphorePermit<'a>, of &'a Semaphore);
permits!(impl[] OwnedSemaphorePermit, of Arc<Semaphore>);
